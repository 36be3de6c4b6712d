import { sizeStep } from '#vocabulary/elastic.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import type { Spot } from '../gang/gangRequest.ts';

/**
 * Places that a gang keeps after a fault, when it is placed at another size than it had: of a smaller one, whole steps of
 * consecutive workers, those first of which most are sound, in their old order; a larger one has new workers at its end.
 */
export function keptAtSize(spots: readonly (Spot | null)[], spec: JobSpec): readonly (Spot | null)[] {
  const { workers } = spec;
  if (spots.length === 0 || spots.length === workers) return spots;
  if (spots.length < workers) return [...spots, ...Array.from({ length: workers - spots.length }, () => null)];
  const step = sizeStep(spec);
  const groups = Array.from({ length: spots.length / step }, (_, at) => ({ at, spots: spots.slice(at * step, (at + 1) * step) }));
  const lost = ({ spots: of }: (typeof groups)[number]): number => of.filter((spot) => spot === null).length;
  return groups
    .sort((left, right) => lost(left) - lost(right) || left.at - right.at)
    .slice(0, workers / step)
    .sort((left, right) => left.at - right.at)
    .flatMap((group) => group.spots);
}
