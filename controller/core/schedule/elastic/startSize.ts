import { sizeRange, specOfSize } from '#vocabulary/elastic.ts';
import { askedSize } from '../../jobs/size.ts';
import type { JobView } from '../../state/view.ts';
import type { PlacementDecision } from '../decidePlacement.ts';

/**
 * At which size a job starts: what it asks for, else the largest smaller one for which there is room, and quota, now. A
 * gang that fits holds every smaller one, so the sizes between are halved until one is left: O(log sizes) decisions.
 * When there is room for none, the decision is that for the smallest: that is what it waits for.
 */
export function decideAtSize(job: JobView, decide: (sized: JobView) => PlacementDecision): PlacementDecision {
  if (job.spec.elastic === null) return decide(job);
  const { min, step } = sizeRange(job.spec);
  const asked = askedSize(job);
  const atSize = (workers: number): PlacementDecision => decide({ ...job, spec: specOfSize(job.spec, workers) });
  const first = atSize(asked);
  if (first.ok || asked === min) return first;
  let best = atSize(min);
  if (!best.ok) return best;
  let [fits, tooLarge] = [0, (asked - min) / step];
  while (tooLarge - fits > 1) {
    const middle = (fits + tooLarge) >>> 1;
    const decision = atSize(min + middle * step);
    if (decision.ok) [fits, best] = [middle, decision];
    else tooLarge = middle;
  }
  return best;
}
