import { expectRemaining } from '../learn/runTimes.ts';
import type { StateView } from '../state/view.ts';
import type { GuessRemaining } from './programs.ts';

/** How long jobs of this cluster will hold their places still, at the median, as was learned up to now. */
export function guessRemaining({ runTimes }: StateView): GuessRemaining {
  // Jobs that end in the forecast teach nothing.
  const known = new Map(runTimes);
  return (job, heldMs) => expectRemaining(known, job, heldMs);
}
