import type { Resource } from '#gen/shoal/v1/control_pb.js';
import { CliError } from '../../cliError.ts';
import { compileTarget, type TargetOptions } from '../../config/target.ts';
import { withDeadline } from '../../deadline.ts';
import { exitCodes } from '../../exitCodes.ts';
import { numberFlag, textFlag, type Flags } from '../../flags.ts';
import type { Io } from '../../io.ts';
import { parseTargets, type Kind } from '../../kinds.ts';
import { followChanges } from '../../server/changes.ts';
import { withServer, type Server } from '../../server/connection.ts';
import { untilGone } from '../../server/gone.ts';
import { notFound, onNamed } from '../../server/notFound.ts';
import { judge, parseGoal, type Goal } from './goal.ts';

export interface WaitOptions {
  readonly target: TargetOptions;
  readonly goal: Goal;
  readonly wanted: readonly Wanted[];
  /** 0: check once. */
  readonly timeoutMs: number;
}

interface Wanted {
  readonly kind: Kind;
  readonly name: string;
}

/** kubectl's. */
const defaultTimeoutMs = 30_000;
const weekMs = 7 * 86_400_000;

export function compileWait(words: readonly string[], flags: Flags): WaitOptions {
  const goal = parseGoal(textFlag(flags, 'for') ?? '');
  const targets = parseTargets(words);
  for (const { kind, names } of targets) {
    if (names.length === 0) throw new CliError(exitCodes.usage, 'error: a name is wanted: TYPE NAME or TYPE/NAME');
    if (goal.kind === 'phase' && kind.kind !== 'TrainingJob' && kind.kind !== 'Node') {
      throw new CliError(exitCodes.usage, `error: a ${kind.singular} has no phase to wait for; --for=delete works`);
    }
  }
  const timeoutMs = numberFlag(flags, 'timeout') ?? defaultTimeoutMs;
  const wanted = targets.flatMap(({ kind, names }) => names.map((name) => ({ kind, name })));
  return { target: compileTarget(flags), goal, wanted, timeoutMs: timeoutMs < 0 ? weekMs : timeoutMs };
}

export async function runWait(options: WaitOptions, io: Io, signal: AbortSignal): Promise<number> {
  return withServer(
    options.target,
    io,
    async (server) => {
      const endsAtMs = io.now() + options.timeoutMs;
      for (const wanted of options.wanted) {
        const leftMs = Math.max(0, endsAtMs - io.now());
        await waitForOne(server, wanted, { goal: options.goal, leftMs: options.timeoutMs === 0 ? 0 : Math.max(1, leftMs) }, signal);
        const { kind, name } = wanted;
        io.stdout.write(`${kind.singular}/${name} ${options.goal.kind === 'delete' ? 'deleted' : 'condition met'}\n`);
      }
      return exitCodes.ok;
    },
    signal,
  );
}

async function waitForOne(
  server: Server,
  wanted: Wanted,
  { goal, leftMs }: { readonly goal: Goal; readonly leftMs: number },
  signal: AbortSignal,
): Promise<void> {
  const { kind, name } = wanted;
  const timedOut = `error: timed out waiting for the condition on ${kind.plural}/${name}`;
  if (goal.kind === 'delete') {
    const object = { kind: kind.kind, name, uid: '' };
    if (leftMs > 0) return void (await withDeadline(leftMs, timedOut, (ended) => untilGone(server.client, object, ended), signal));
    const { table } = await server.client.list({ kind: kind.kind, names: [name], table: true }, server.unary());
    if ((table?.rows.length ?? 0) > 0) throw new CliError(exitCodes.timedOut, timedOut);
    return;
  }
  const { resource, revision } = await onNamed(server, kind, name, () =>
    server.client.get({ object: { kind: kind.kind, name } }, server.unary()),
  );
  if (resource !== undefined && isMet(goal, wanted, resource)) return;
  if (leftMs === 0) throw new CliError(exitCodes.timedOut, timedOut);
  await withDeadline(leftMs, timedOut, (ended) => untilMet(server, { goal, wanted, revision }, ended), signal);
}

async function untilMet(
  server: Server,
  { goal, wanted, revision }: { readonly goal: Goal; readonly wanted: Wanted; readonly revision: bigint },
  signal: AbortSignal,
): Promise<true | undefined> {
  const { kind, name } = wanted;
  for await (const change of followChanges(server.client, { kind: kind.kind, names: [name] }, revision, signal)) {
    if (change.type === 'DELETED') throw await notFound(server, kind, name);
    if (change.resource !== undefined && isMet(goal, wanted, change.resource)) return true;
  }
  return undefined;
}

/** Throws when it can never be met. */
function isMet(goal: Goal, { kind, name }: Wanted, resource: Resource): boolean {
  const verdict = judge(goal, resource);
  if (verdict.kind !== 'never') return verdict.kind === 'met';
  const exitCode = verdict.phase === 'Failed' ? exitCodes.jobFailed : exitCodes.error;
  const why = verdict.why === '' ? '' : `: ${verdict.why}`;
  throw new CliError(exitCode, `error: ${kind.singular}/${name} ${verdict.phase === 'Failed' ? 'failed' : 'succeeded'}${why}`, [
    `See: shoal describe ${kind.singular} ${name}`,
  ]);
}
