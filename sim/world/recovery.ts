/** What a controller finds in its store when it comes back: the log's lines, or a snapshot of them. */
import type { StampedEvent } from '#core/events.ts';
import { apply } from '#core/state/apply.ts';
import { printSnapshot, readableSnapshots, restoreSnapshot, type StateSnapshot } from '#core/state/snapshot.ts';
import { emptyState } from '#core/state/emptyState.ts';
import type { State } from '#core/state/state.ts';
import type { StateView } from '#core/state/view.ts';
import { assert } from '#vocabulary/assert.ts';

/** As lines of a log: what does not go through JSON is not durable. */
export function foldLog(log: readonly string[], recentEventsMax: number): State {
  const state = emptyState();
  for (const line of log) {
    const event: unknown = JSON.parse(line);
    assert(isEvent(event), 'a line of the log is an event');
    apply(state, event, recentEventsMax);
  }
  return state;
}

export function throughSnapshot(state: StateView): State {
  const snapshot: unknown = JSON.parse(printSnapshot(state));
  assert(isSnapshot(snapshot), 'a snapshot has a version that can be read');
  return restoreSnapshot(snapshot);
}

function isEvent(value: unknown): value is StampedEvent {
  return typeof value === 'object' && value !== null && 'kind' in value && 'atMs' in value;
}

function isSnapshot(value: unknown): value is StateSnapshot {
  return typeof value === 'object' && value !== null && 'version' in value && readableSnapshots.includes(value.version);
}
