import type { StateView } from './view.ts';

/**
 * Makes a function remember its answer until a node comes or changes its inventory: for what follows from the inventories
 * alone and takes a walk over all of them. The answer goes with the state.
 */
export function perTopology<T>(make: (state: StateView) => T): (state: StateView) => T {
  const known = new WeakMap<StateView, { readonly topologyAt: number; readonly answer: T }>();
  return (state) => {
    const last = known.get(state);
    if (last !== undefined && last.topologyAt === state.topologyAt) return last.answer;
    const answer = make(state);
    known.set(state, { topologyAt: state.topologyAt, answer });
    return answer;
  };
}
