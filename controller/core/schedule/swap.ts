import type { Placement, WorkerPlace } from '#vocabulary/job.ts';
import type { JobView } from '../state/view.ts';
import { devicesAt } from './capacity/devices.ts';
import type { Room } from './capacity/room.ts';
import type { GangRequest } from './gang/gangRequest.ts';
import type { OldSpot, Swap } from './gang/swapWorkers.ts';
import { swapWorkers } from './gang/swapWorkers.ts';

/**
 * After a fault of the machine only the workers that lost their place are replaced. In all other cases the gang is placed
 * anew. Empty: nothing to keep.
 */
export function placesToKeep({ attempts = [] }: { readonly attempts?: JobView['attempts'] | undefined }): Placement {
  const last = attempts.at(-1);
  const reason = last?.end?.reasons[0];
  return last !== undefined && (reason === 'NodeFailure' || reason === 'GpuFailure') ? last.placement : noPlaces;
}

const noPlaces: Placement = [];

/** The gang with its broken workers replaced, everybody else where he was; null: not possible. */
export function swapIn(room: Room, request: GangRequest, keep: Placement): Swap | null {
  return swapWorkers(room, request, oldSpots(room, request, keep));
}

/** A place is sound when its node takes work, and this job, and the very GPUs are of the model, healthy and free. */
export function oldSpots({ capacity }: Room, { groups: [group], allowed }: GangRequest, keep: Placement): readonly (OldSpot | null)[] {
  const model = group?.shape.model ?? null;
  const number = model === null ? -1 : capacity.modelNumber(model);
  return keep.map((place) => {
    const node = capacity.topology.numberOf.get(place.node);
    if (node === undefined) return null;
    const gpus = devicesAt(capacity, node, place);
    const isWhole = gpus.length === place.gpus.length;
    const areFree = gpus.every((gpu) => capacity.freeMilli(node, gpu, number) >= (group?.shape.gpuMilli ?? 0));
    const isAllowed = allowed === null || allowed.mask[node] === 1;
    return { spot: { node, gpus }, isSound: capacity.isOpen(node) && isAllowed && isWhole && areFree };
  });
}

/** Who was replaced by what: `worker 17: n12 → n14; 255 keep their place`. null: it is no swap, or nobody kept his place. */
export function describeSwap(before: Placement, after: Placement): string | null {
  const moved = after.flatMap((place, worker) => {
    const old = before[worker];
    return old === undefined || isSamePlace(old, place) ? [] : [{ worker, old, place }];
  });
  if (before.length !== after.length || moved.length === after.length) return null;
  if (moved.length === 0) return 'everybody keeps their place';
  const lines = moved.slice(0, movedShownMax).map(({ worker, old, place }) => {
    const [from, to] = old.node === place.node ? [printPlace(old), printPlace(place)] : [old.node, place.node];
    return `worker ${worker}: ${from} → ${to}`;
  });
  const more = moved.length > movedShownMax ? [`and ${moved.length - movedShownMax} more`] : [];
  const kept = after.length - moved.length;
  return [...lines, ...more, `${kept} keep${kept === 1 ? 's its' : ' their'} place`].join('; ');
}

const movedShownMax = 8;

function isSamePlace(one: WorkerPlace, other: WorkerPlace): boolean {
  const isSameGpus = one.gpus.length === other.gpus.length && one.gpus.every((gpu, at) => gpu === other.gpus[at]);
  return one.node === other.node && one.slot === other.slot && isSameGpus;
}

const printPlace = ({ node, gpus }: WorkerPlace): string => `${node}[${gpus.join(',')}]`;
