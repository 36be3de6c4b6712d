import type { JobUid } from '#vocabulary/ids.ts';
import type { Placement } from '#vocabulary/job.ts';
import type { Capacity, Hold } from '../capacity/capacity.ts';
import { devicesAt } from '../capacity/devices.ts';

/** What the job holds at each of these places of its, in their order; undefined where it holds nothing. */
export function holdsAt(capacity: Capacity, job: JobUid, places: Placement): readonly (Hold | undefined)[] {
  const used = new Set<Hold>();
  return places.map((place) => {
    const node = capacity.topology.numberOf.get(place.node);
    if (node === undefined) return undefined;
    const devices = devicesAt(capacity, node, place).join();
    const hold = capacity.holdsOf(node).find((each) => each.owner === job && !used.has(each) && each.gpus.join() === devices);
    if (hold !== undefined) used.add(hold);
    return hold;
  });
}

/** What it holds beside the places that it keeps. */
export function holdsBeside(capacity: Capacity, job: JobUid, of: { readonly has: Placement; readonly keeps: Placement }): readonly Hold[] {
  const kept = new Set(holdsAt(capacity, job, of.keeps));
  return holdsAt(capacity, job, of.has).flatMap((hold) => (hold === undefined || kept.has(hold) ? [] : [hold]));
}
