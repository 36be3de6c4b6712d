import { withDeadline } from '../../deadline.ts';
import type { Io } from '../../io.ts';
import { followChanges } from '../../server/changes.ts';
import { withServer, type ControlClient } from '../../server/connection.ts';

/** An agent starts in under a second; a busy machine may need longer. */
const patienceMs = 30_000;

/** Returns when the controller sees all these nodes as Ready: what is started next can be placed. */
export async function untilNodesReady(context: string, names: readonly string[], io: Io, signal: AbortSignal): Promise<void> {
  const target = { context, server: null, requestTimeoutMs: patienceMs };
  const timedOut = `error: not all of ${names.join(', ')} became ready in ${patienceMs / 1000}s`;
  const work = async (client: ControlClient): Promise<true> =>
    withDeadline(patienceMs, timedOut, (ended) => watchUntilReady(client, names, ended), signal);
  await withServer(target, io, ({ client }) => work(client), signal);
}

async function watchUntilReady(client: ControlClient, names: readonly string[], signal: AbortSignal): Promise<true | undefined> {
  const missing = new Set(names);
  for await (const { resource } of followChanges(client, { kind: 'Node' }, 0n, signal)) {
    const node = resource?.object.case === 'node' ? resource.object.value : undefined;
    if (node?.status?.state === 'Ready' && node.status.connected) missing.delete(node.metadata?.name ?? '');
    if (missing.size === 0) return true;
  }
  return undefined;
}
