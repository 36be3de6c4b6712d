import type { StateView } from '../state/view.ts';
import type { GuessRemaining } from './programs.ts';

/** Of a job of which nothing is known: so long, and when it has run longer, as long again. */
const unknownMs = 3_600_000;

/** How long jobs of this cluster will hold their places still, at the median: what they promised. */
export function guessRemaining(_state: StateView): GuessRemaining {
  return ({ spec: { maxRuntimeMs } }, heldMs) => (maxRuntimeMs === null ? Math.max(unknownMs - heldMs, heldMs) : maxRuntimeMs - heldMs);
}
