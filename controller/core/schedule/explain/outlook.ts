import type { JobUid } from '#vocabulary/ids.ts';
import { jobName } from '#vocabulary/ids.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import type { Outlook, WaitsFor } from '#vocabulary/verdict.ts';
import { stateWord } from '../../jobs/dependencies.ts';
import { findJob } from '../../jobs/jobReplies.ts';
import { atLeast } from '../../jobs/size.ts';
import { currentAttempt } from '../../state/state.ts';
import type { JobView, StateView } from '../../state/view.ts';
import type { Turn } from '../../turn.ts';
import type { Capacity } from '../capacity/capacity.ts';
import { devicesAt } from '../capacity/devices.ts';
import type { Spot } from '../gang/gangRequest.ts';
import { widensAtMs } from '../requestOf.ts';
import type { Around, Stand } from './atItsTurn.ts';
import { noRoom } from './atItsTurn.ts';

/** Jobs that are named of those that it waits for. */
const namedMax = 8;

/** When it starts, and whom it waits for: from what was promised to it, and from those who stand there. */
export function outlookOf(around: Around, stand: Stand, job: JobView, wait: WaitReason): Outlook {
  const { context } = around.turn;
  const { capacity } = around.cluster.room;
  const spots = promisedSpots(around, stand, job, wait);
  const nodes = [...new Set(spots.map(({ node }) => capacity.nameOf(node)))].sort();
  const waitsFor = whoIsInTheWay(around, { wait, spots });
  return {
    startsByMs: startsBy(around.turn, wait),
    isBehindPromised: isBehindPromised(around, stand, job, wait),
    nodes: wait.kind === 'Reserved' ? wait.nodes : nodes,
    // Something happened since the pass: the next one says who is in the way.
    waitsFor: wait.kind === 'Reserved' && wait.nodes.join() !== nodes.join() ? [] : waitsFor.slice(0, namedMax),
    widensAtMs: widensAtMs(around.cluster, atLeast(job), context.nowMs),
    targetAtMs: targetAt(around, job, wait),
  };
}

function isBehindPromised({ turn, waits }: Around, { ahead }: Stand, { spec }: JobView, wait: WaitReason): boolean {
  if (!isShortOfRoom(wait)) return false;
  const { reservationsPerQueue, reservationsMax } = turn.context.policy;
  const promised = ahead.filter(({ uid }) => waits.get(uid)?.kind === 'Reserved');
  const ofQueue = promised.filter((other) => other.spec.queue === spec.queue);
  return ofQueue.length >= reservationsPerQueue || promised.length >= reservationsMax;
}

/** Nobody was found for it, and no time. */
export const isShortOfRoom = ({ kind }: WaitReason): boolean => kind === 'InsufficientGpus' || kind === 'LevelTooSmall';

function startsBy({ state, context }: Turn, wait: WaitReason): number | null {
  if (wait.kind === 'Reserved') return wait.atMs;
  if (wait.kind !== 'WaitingForVictims') return null;
  const lastMs = Math.max(...holdersNamed(state, wait.victims).map(({ uid }) => state.endings.atMs.get(uid) ?? Infinity));
  return Number.isFinite(lastMs) ? lastMs + context.policy.stopSlackMs : null;
}

function promisedSpots({ cluster }: Around, { backfill, preemption }: Stand, job: JobView, wait: WaitReason): readonly Spot[] {
  const { capacity } = cluster.room;
  const promised = job.nomination ?? job.target;
  if (promised !== null)
    return promised.placement.flatMap((place) => {
      const node = capacity.topology.numberOf.get(place.node);
      return node === undefined ? [] : [{ node, gpus: devicesAt(capacity, node, place) }];
    });
  if (wait.kind !== 'Reserved') return [];
  backfill.promise(job, noRoom(job), preemption.leavingFor(job));
  const found = backfill.promises.all.find((promise) => promise.job === job.uid)?.spots ?? [];
  backfill.promises.end();
  return found;
}

interface InTheWay {
  readonly wait: WaitReason;
  readonly spots: readonly Spot[];
}

/** The last one to go first comes last; those who never said when, after all others. */
function whoIsInTheWay({ turn, cluster }: Around, { wait, spots }: InTheWay): readonly WaitsFor[] {
  const { state } = turn;
  if (wait.kind === 'Dependency' || wait.kind === 'DependencyNever') {
    const other = findJob(state, jobName(wait.job));
    return [{ job: wait.job, state: other === undefined ? 'missing' : stateWord(other), goneByMs: null }];
  }
  const others = wait.kind === 'WaitingForVictims' ? holdersNamed(state, wait.victims) : ownersOf(state, cluster.room.capacity, spots);
  return others
    .map((other) => ({ job: other.name, state: stateWord(other), goneByMs: state.endings.atMs.get(other.uid) ?? null }))
    .sort((left, right) => compareEnds(left, right) || (left.job < right.job ? -1 : 1));
}

function compareEnds({ goneByMs: left }: WaitsFor, { goneByMs: right }: WaitsFor): number {
  if (left === right) return 0;
  return left !== null && (right === null || left < right) ? -1 : 1;
}

/** Those of them that still hold something. */
const holdersNamed = (state: StateView, names: readonly string[]): readonly JobView[] =>
  names.flatMap((name) => {
    const job = findJob(state, jobName(name));
    return job !== undefined && currentAttempt(job) !== undefined ? [job] : [];
  });

/** Who holds any of these GPUs. */
function ownersOf(state: StateView, capacity: Capacity, spots: readonly Spot[]): readonly JobView[] {
  const owners = new Set<JobUid>();
  for (const { node, gpus } of spots) {
    for (const hold of capacity.holdsOf(node)) {
      if (hold.owner !== null && hold.gpus.some((gpu) => gpus.includes(gpu))) owners.add(hold.owner);
    }
  }
  return [...owners].flatMap((uid) => state.jobs.get(uid) ?? []);
}

function targetAt({ turn }: Around, { spec, phase, target }: JobView, wait: WaitReason): number | null {
  const { targetAfterMs, targetGpusMin, targetsMax } = turn.context.policy;
  if (!isShortOfRoom(wait) || target !== null || targetsMax === 0 || phase.kind !== 'pending') return null;
  const isBig = spec.gpuShareMilli === null && spec.gpuProfile === null && spec.workers * spec.gpusPerWorker >= targetGpusMin;
  const atMs = phase.sinceMs + targetAfterMs;
  return isBig && atMs > turn.context.nowMs ? atMs : null;
}
