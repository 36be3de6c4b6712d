import type { JobUid } from '#vocabulary/ids.ts';
import type { Placement } from '#vocabulary/job.ts';
import type { StateView } from '../../state/view.ts';
import type { Room } from '../capacity/room.ts';
import type { GangRequest, Spot } from '../gang/gangRequest.ts';
import type { Swap } from '../gang/swapWorkers.ts';
import { swapIn } from '../swap.ts';
import { borrowersOn, sparesFor } from './borrow.ts';

/** A swap that is possible when those have left to whom spare nodes of it are lent. */
export interface Recall {
  readonly spots: readonly Spot[];
  /** By uid. */
  readonly victims: readonly JobUid[];
}

/** The same as the log has it. */
export interface RecallPlan {
  readonly victims: readonly JobUid[];
  readonly placement: Placement;
  readonly model: string | null;
}

export type SwapAnswer =
  | { readonly kind: 'now'; readonly spots: readonly Spot[] }
  | { readonly kind: 'recall'; readonly recall: Recall }
  | { readonly kind: 'none' };

interface Broken {
  readonly uid: JobUid | undefined;
  readonly request: GangRequest;
  readonly keep: Placement;
}

/**
 * How a gang that a fault stopped goes on without being placed anew: with ordinary nodes, with spare nodes that lie free if
 * fewer sound workers move so or the gang stays nearer together, and at last with spare nodes that are lent.
 */
export function swapWithSpares(state: StateView, room: Room, broken: Broken): SwapAnswer {
  const { request, keep } = broken;
  const plain = swapIn(room, request, keep);
  const spares = state.spares.size === 0 ? [] : sparesFor(state, room, broken.uid);
  if (spares.length === 0) return answerOf(plain);
  const spared = room.capacity.withOpen(spares, () => swapIn(room, request, keep));
  const best = isBetter(spared, plain) ? spared : plain;
  if (best !== null) return answerOf(best);
  const recall = findRecall(state, room, broken, spares);
  return recall === null ? { kind: 'none' } : { kind: 'recall', recall };
}

const answerOf = (swap: Swap | null): SwapAnswer => (swap === null ? { kind: 'none' } : { kind: 'now', spots: swap.spots });

function isBetter(one: Swap | null, other: Swap | null): boolean {
  if (one === null || other === null) return one !== null;
  return one.moved !== other.moved ? one.moved < other.moved : one.depth > other.depth;
}

function findRecall(state: StateView, room: Room, { request, keep }: Broken, spares: readonly number[]): Recall | null {
  const { capacity } = room;
  const lent = new Map<number, readonly JobUid[]>();
  for (const spare of spares) {
    const node = state.nodes.get(capacity.nameOf(spare));
    const borrowers = node === undefined ? null : borrowersOn(state, node);
    if (borrowers !== null && borrowers.length > 0) lent.set(spare, borrowers);
  }
  if (lent.size === 0) return null;
  const mark = capacity.mark();
  for (const [spare, borrowers] of lent)
    for (const hold of capacity.holdsOf(spare)) if (hold.owner !== null && borrowers.includes(hold.owner)) capacity.give(hold);
  const swap = capacity.withOpen(spares, () => swapIn(room, request, keep));
  capacity.rollback(mark);
  if (swap === null) return null;
  const used = new Set(swap.spots.map(({ node }) => node));
  const victims = [...lent].flatMap(([spare, borrowers]) => (used.has(spare) ? borrowers : []));
  return { spots: swap.spots, victims: [...new Set(victims)].sort() };
}
