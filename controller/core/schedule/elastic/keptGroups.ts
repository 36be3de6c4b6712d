import { sizeStep } from '#vocabulary/elastic.ts';
import type { JobSpec, Placement } from '#vocabulary/job.ts';
import type { Room } from '../capacity/room.ts';
import type { GangRequest } from '../gang/gangRequest.ts';
import { oldSpots } from '../swap.ts';

/**
 * What a gang keeps after a fault when it is placed with fewer workers than it had: whole steps of consecutive workers, those
 * first of which most are sound, in their old order. So an elastic job drops its broken replicas and goes on.
 */
export function keepAtSize(room: Room, request: GangRequest, spec: JobSpec, keep: Placement): Placement {
  const { workers } = spec;
  if (keep.length <= workers) return keep;
  const step = sizeStep(spec);
  const spots = oldSpots(room, request, keep);
  const groups = Array.from({ length: keep.length / step }, (_, at) => {
    const [first, end] = [at * step, (at + 1) * step];
    return { at, places: keep.slice(first, end), lost: spots.slice(first, end).filter((spot) => spot?.isSound !== true).length };
  });
  return groups
    .sort((left, right) => left.lost - right.lost || left.at - right.at)
    .slice(0, workers / step)
    .sort((left, right) => left.at - right.at)
    .flatMap(({ places }) => places);
}
