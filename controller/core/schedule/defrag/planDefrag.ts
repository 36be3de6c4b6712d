import { assert } from '#vocabulary/assert.ts';
import type { NodeName } from '#vocabulary/ids.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { DefragPolicy } from '../../context.ts';
import { QueueTree } from '../../queues/queueTree.ts';
import { milliOf, sizeOf } from '../../jobs/size.ts';
import { currentAttempt } from '../../state/state.ts';
import type { JobView, StateView } from '../../state/view.ts';
import type { Hold } from '../capacity/capacity.ts';
import type { ClusterRoom } from '../clusterRoom.ts';
import { keepPlace } from '../consolidate/keepPlace.ts';
import { movableFromMs } from '../consolidate/movable.ts';
import type { Mover } from '../consolidate/relocate.ts';
import { relocate } from '../consolidate/relocate.ts';
import { anywhere } from '../gang/gangRequest.ts';
import type { Running } from '../victims/running.ts';
import { isLeaving } from '../victims/running.ts';
import type { DefragMove, DefragPlan } from './defragPlan.ts';
import { freeMilliOn, isWhole, measureHoles } from './holes.ts';

/** The cluster as nobody else wants to change it now: what is promised to anybody is taken. */
export interface Quiet {
  readonly state: StateView;
  readonly cluster: ClusterRoom;
  /** By uid. */
  readonly running: readonly Running[];
  /** Promised to a job that waits. */
  readonly isPromised: (holds: readonly Hold[]) => boolean;
  readonly nowMs: number;
}

/**
 * Moves of preemptible jobs that empty nodes, so that free GPUs lie together.
 *
 * Method: nodes of which a part is free, and on which only jobs stand that may be moved and stand nowhere else, are tried
 * in the order of what is held of them, the least first; of equal ones, those of the rack on which least is held. All jobs of the node must find
 * other places at once, each free today and on a node that is in use already, so that the node's whole size is gained: the GPUs
 * that were free on it, and those that its jobs fill elsewhere. A place that was found is kept through the rest of the plan.
 *
 * When it pays: all moves of one node may cost each GPU that is gained so much (`costMs`), and there are `movesMax` in all.
 * If all nodes together gain less than `gainGpusMin` GPUs, nothing is moved.
 *
 * Why it comes to rest: each node that is emptied is one more that lies free, nobody who moves goes to one that does, and
 * who was moved is left alone for ten times what it cost. One try for each node, not a search for the best plan. A trial:
 * nothing is changed.
 */
export function planDefrag(quiet: Quiet, policy: DefragPolicy): DefragPlan {
  const { cluster } = quiet;
  const { capacity } = cluster.room;
  const before = measureHoles(capacity, cluster.levels);
  const mark = capacity.mark();
  const moves: DefragMove[] = [];
  const closed: Hold[] = [];
  const left: Hold[] = [];
  for (const candidate of candidatesOf(quiet)) {
    if (moves.length + candidate.movers.length > policy.movesMax) continue;
    const found = empty(quiet, candidate, policy);
    if (found === null) continue;
    for (const move of found) keepPlace(cluster, jobOf(quiet, move), move);
    closed.push(...closeNode(cluster, candidate.node));
    left.push(...candidate.movers.flatMap(({ holds }) => holds));
    moves.push(...found);
  }
  for (const hold of [...closed, ...left]) capacity.give(hold);
  const after = measureHoles(capacity, cluster.levels);
  capacity.rollback(mark);
  const gainedMilli = before.scatteredMilli - after.scatteredMilli;
  if (moves.length === 0 || gainedMilli < policy.gainGpusMin * gpuMilliPerGpu) return { moves: [], before, after: before, cost: 0 };
  const cost = moves.reduce((sum, move) => sum + move.cost, 0);
  return { moves, before, after, cost };
}

interface Candidate {
  readonly node: number;
  readonly movers: readonly Mover[];
  readonly heldMilli: number;
}

function candidatesOf(quiet: Quiet): readonly Candidate[] {
  const { capacity } = quiet.cluster.room;
  const { topology } = capacity;
  const movers = moversOf(quiet);
  const candidates: Candidate[] = [];
  const heldAround = new Map<number, number>();
  const aroundOf = (node: number): number => topology.parent[(topology.levelStart[topology.depth] ?? 0) + node] ?? 0;
  for (let node = 0; node < capacity.nodes; node += 1) {
    const holds = capacity.holdsOf(node);
    const heldMilli = holds.reduce((sum, { gpus, gpuMilli }) => sum + gpus.length * gpuMilli, 0);
    heldAround.set(aroundOf(node), (heldAround.get(aroundOf(node)) ?? 0) + heldMilli);
    if (heldMilli === 0 || !capacity.isOpen(node) || freeMilliOn(capacity, node) === 0) continue;
    const here = movers.get(node) ?? [];
    // Somebody stands here who stays, or a part is kept for somebody; or a GPU is sick, and the node would not be whole.
    const isAll = holds.every(({ owner }) => here.some(({ job }) => job.uid === owner));
    if (isAll && capacity.factsOf(node).gpus.every(({ healthy }) => healthy)) candidates.push({ node, movers: here, heldMilli });
  }
  const around = ({ node }: Candidate): number => heldAround.get(aroundOf(node)) ?? 0;
  return candidates.sort((one, other) => one.heldMilli - other.heldMilli || around(one) - around(other) || one.node - other.node);
}

/** Those that may be moved now and stand on one node, by node. */
function moversOf({ state, cluster, running, isPromised, nowMs }: Quiet): ReadonlyMap<number, readonly Mover[]> {
  const tree = new QueueTree(state.queues);
  const movers = new Map<number, Mover[]>();
  for (const { victim: job, evictable } of running) {
    const { holds, cost } = evictable;
    const [first] = holds;
    if (first === undefined || holds.some(({ node }) => node !== first.node) || holds.length !== sizeOf(job)) continue;
    if (!mayMove(job, tree, nowMs) || isPromised(holds) || state.nodes.get(cluster.room.capacity.nameOf(first.node))?.spare !== null)
      continue;
    const mover = { job, holds, costMs: Math.round(cost / Math.max(1, milliOf(job))) };
    movers.set(first.node, [...(movers.get(first.node) ?? []), mover]);
  }
  return movers;
}

function mayMove(job: JobView, tree: QueueTree, nowMs: number): boolean {
  const { spec, move } = job;
  if (!spec.preemptible || spec.exclusive !== null || spec.gpuProfile !== null || tree.isServing(spec.queue)) return false;
  return milliOf(job) > 0 && move?.kind !== 'asked' && !isLeaving(job) && movableFromMs(job) <= nowMs;
}

/** Where all jobs of the node go; null: not all of them have a place on a node that is in use, or it is too dear. */
function empty(quiet: Quiet, { node, movers }: Candidate, policy: DefragPolicy): readonly DefragMove[] | null {
  const { cluster, nowMs } = quiet;
  const { capacity } = cluster.room;
  const gpus = capacity.factsOf(node).gpus.map(({ index }) => index);
  const cost = movers.reduce((sum, { job, costMs }) => sum + costMs * milliOf(job), 0);
  if (cost > policy.costMs * gpus.length * gpuMilliPerGpu) return null;
  const model = capacity.factsOf(node).gpus[0]?.model ?? '';
  const hole = { spots: [{ node, gpus }], request: anywhere([]), model, nowMs };
  const relocation = relocate(cluster, movers, hole);
  if (!relocation.ok) return null;
  const moves = movers.map(({ job, costMs }): DefragMove => {
    const attempt = currentAttempt(job);
    const placement = relocation.places.get(job.uid) ?? [];
    return {
      uid: job.uid,
      name: job.name,
      from: attempt?.placement ?? [],
      placement,
      model: attempt?.model ?? null,
      costMs,
      cost: costMs * milliOf(job),
    };
  });
  const isInUse = (name: NodeName): boolean => {
    const number = capacity.topology.numberOf.get(name);
    return number !== undefined && number !== node && !isWhole(capacity, number);
  };
  return moves.every(({ placement }) => placement.every((place) => isInUse(place.node))) ? moves : null;
}

/** Nobody who is looked at later goes there: takes what is free of it. */
function closeNode({ room: { capacity } }: ClusterRoom, node: number): readonly Hold[] {
  const holds: Hold[] = [];
  for (const { index } of capacity.factsOf(node).gpus) {
    const gpuMilli = capacity.freeMilli(node, index);
    if (gpuMilli > 0) holds.push({ owner: null, node, gpus: [index], gpuMilli, cpuMilli: 0, memoryBytes: 0 });
  }
  for (const hold of holds) capacity.take(hold);
  return holds;
}

function jobOf({ state }: Quiet, { uid, name }: DefragMove): JobView {
  const job = state.jobs.get(uid);
  assert(job !== undefined, `job ${name}, which is to move, is there`);
  return job;
}
