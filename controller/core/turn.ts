import type { Context } from './context.ts';
import type { Event, StampedEvent } from './events.ts';
import { apply } from './state/apply.ts';
import type { State } from './state/state.ts';
import type { StateView } from './state/view.ts';

/**
 * One step under way: deciding functions read `state` and say what happens by `emit`, which folds the event at once, so
 * that the next decision sees it. They cannot change the state in any other way.
 */
export interface Turn {
  readonly state: StateView;
  readonly context: Context;
  emit(event: Event): void;
}

export function beginTurn(state: State, context: Context): { readonly turn: Turn; readonly events: readonly StampedEvent[] } {
  const events: StampedEvent[] = [];
  const turn: Turn = {
    state,
    context,
    emit: (event) => {
      const stamped: StampedEvent = { ...event, atMs: context.nowMs };
      events.push(stamped);
      apply(state, stamped, context.policy.recentEventsMax);
    },
  };
  return { turn, events };
}
