import { assertNever } from '#vocabulary/assert.ts';
import { defaultQueueSpec, type QueueSpec } from '#vocabulary/queue.ts';
import type { QueueEvent } from '../events.ts';
import type { State } from '../state/state.ts';
import { changeHalfLife } from './pastUsage.ts';

/** Folds what happens to a queue. */
export function applyQueueEvent(state: State, event: QueueEvent & { readonly atMs: number }): void {
  const { name, atMs } = event;
  switch (event.kind) {
    case 'QueueApplied': {
      const spec = completeQueueSpec(event.spec);
      changeHalfLife(state, name, spec.halfLifeMs, atMs);
      const createdAtMs = state.queues.get(name)?.createdAtMs ?? atMs;
      state.queues.set(name, { name, spec, labels: event.labels, createdAtMs, changedAt: state.revision });
      state.scheduleDirty = true;
      return;
    }
    case 'QueueRemoved':
      changeHalfLife(state, name, null, atMs);
      state.queues.delete(name);
      return;
    default:
      assertNever(event);
  }
}

/** Paths that versions before fair shares kept as without effect. */
const nowServed = new Set(['spec.guaranteed', 'spec.weight', 'spec.halfLife']);

/**
 * Logs and snapshots of versions before fair shares have specs without these fields. They get the defaults: what had no
 * effect then, with a warning, must not get one by an upgrade, unchecked against the other queues; applying the manifest again
 * gives it.
 */
export function completeQueueSpec(spec: Partial<QueueSpec>): QueueSpec {
  const unserved = Object.fromEntries(Object.entries(spec.unserved ?? {}).filter(([path]) => !nowServed.has(path)));
  return { ...defaultQueueSpec, ...spec, unserved };
}
