import { apply } from '#core/state/apply.ts';
import { restoreSnapshot } from '#core/state/snapshot.ts';
import type { State } from '#core/state/state.ts';
import { emptyState } from '#core/state/emptyState.ts';
import type { Store } from '#controller/ports/store.ts';
import { parseLine, parseSnapshot } from './logLine.ts';

/** Lines read at a time: bounds memory, not the log. */
const pageLines = 10_000;

/** The state as the store has it: the newest snapshot and all that follows. Throws StoreError; never guesses. */
export async function recover(store: Store, recentEventsMax: number): Promise<State> {
  const snapshot = await store.loadSnapshot();
  const state = snapshot === null ? emptyState() : restoreSnapshot(parseSnapshot(snapshot.body));
  for (;;) {
    const lines = await store.read(state.revision, pageLines);
    for (const { line } of lines) apply(state, parseLine(line), recentEventsMax);
    if (lines.length < pageLines) return state;
  }
}
