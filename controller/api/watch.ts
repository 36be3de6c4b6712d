import type { MessageInitShape } from '@bufbuild/protobuf';
import type { WatchRequest, WatchResponseSchema } from '#gen/shoal/v1/control_pb.js';
import { RpcError } from '#rpc/rpcError.ts';
import type { Changes } from '../loop/changes.ts';
import type { Loop } from '../loop/loop.ts';
import type { Selection, Sight } from './objects.ts';
import { findObject, nameOf, parseKind, select, tableOf } from './objects.ts';

type WatchResponse = MessageInitShape<typeof WatchResponseSchema>;

/** How a watch gets at the state: `look` as it is when everything in it is durable. */
export interface WatchSource {
  readonly loop: Loop;
  readonly changes: Changes;
  look<T>(read: (sight: Sight) => T): Promise<T>;
}

/**
 * Objects of a kind as they change. Changes that come faster than the reader takes them are told once, with the newest
 * object: a slow reader gets fewer messages, never stale ones, and holds nothing up.
 */
export async function* watch(source: WatchSource, request: WatchRequest, signal: AbortSignal): AsyncGenerator<WatchResponse> {
  const kind = parseKind(request.kind);
  const selection: Selection = { kind, names: request.names, labels: request.labelSelector, about: request.about };
  const alarm = createAlarm(source.loop, signal);
  const shown = new Set<string>();
  try {
    let after = Number(request.afterRevision);
    if (after === 0) {
      const first = await source.look((sight) => ({
        revision: sight.state.revision,
        responses: responsesFor(sight, selection, request.table, shown, null),
      }));
      yield* first.responses;
      after = first.revision;
      yield { type: 'BOOKMARK', revision: BigInt(after) };
    }
    while (!signal.aborted) {
      const from = after;
      const next = await source.look((sight) => {
        const names = source.changes.after(from, kind);
        if (names === null)
          throw new RpcError(
            'OUT_OF_RANGE',
            `revision ${from} is too old to resume from; changes are kept after ${source.changes.completeAfter}: list again`,
          );
        return { revision: sight.state.revision, responses: responsesFor(sight, selection, request.table, shown, names) };
      });
      yield* next.responses;
      if (next.responses.length > 0) yield { type: 'BOOKMARK', revision: BigInt(next.revision) };
      after = next.revision;
      await alarm.wait(after);
    }
  } finally {
    alarm.close();
  }
}

/** `changed` null: everything is new. A name that changed and is not selected any more was deleted. */
function responsesFor(
  sight: Sight,
  selection: Selection,
  table: boolean,
  shown: Set<string>,
  changed: readonly string[] | null,
): WatchResponse[] {
  const { kind } = selection;
  const wanted = changed === null ? selection.names : wantedOf(selection, changed);
  if (changed !== null && wanted.length === 0) return [];
  const found = select(sight, { ...selection, names: wanted });
  const revision = BigInt(sight.state.revision);
  const responses: WatchResponse[] = found.map((resource) => {
    const name = nameOf(resource);
    const type = changed === null || !shown.has(name) ? 'ADDED' : 'MODIFIED';
    shown.add(name);
    const object = { kind, name };
    return table ? { type, object, revision, table: tableOf(kind, [resource], sight.nowMs) } : { type, object, revision, resource };
  });
  const there = new Set(found.map((resource) => nameOf(resource)));
  for (const name of changed === null || kind === 'Event' || kind === 'Gpu' ? [] : wanted) {
    // One that was never selected and still exists is no business of this watch.
    if (there.has(name) || (!shown.delete(name) && findObject(sight, kind, name) !== undefined)) continue;
    responses.push({ type: 'DELETED', object: { kind, name }, revision });
  }
  return responses;
}

/** Of the names that changed, those that are watched. A GPU (`node/index`) changes with its node, under the node's name. */
function wantedOf({ kind, names }: Selection, changed: readonly string[]): readonly string[] {
  if (names.length === 0) return changed;
  return kind === 'Gpu'
    ? names.filter((name) => changed.includes(name.split('/')[0] ?? ''))
    : changed.filter((name) => names.includes(name));
}

/** Wakes when something beyond a revision was committed. */
function createAlarm(loop: Loop, signal: AbortSignal): { wait(after: number): Promise<void>; close(): void } {
  let ring: () => void = () => undefined;
  const stopListening = loop.onCommit(() => ring());
  const onAbort = (): void => ring();
  signal.addEventListener('abort', onAbort);
  return {
    wait: (after) =>
      new Promise((resolve) => {
        ring = resolve;
        if (loop.revision > after || signal.aborted) resolve();
      }),
    close: () => {
      stopListening();
      signal.removeEventListener('abort', onAbort);
    },
  };
}
