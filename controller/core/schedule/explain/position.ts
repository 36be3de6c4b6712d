import { milliOf } from '../../jobs/size.ts';
import type { JobUid } from '#vocabulary/ids.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { Position } from '#vocabulary/verdict.ts';
import { modelsPresent } from '../../jobs/emptyRoom.ts';
import { judgeReadiness } from '../../jobs/readiness.ts';
import { Standings } from '../../queues/standing.ts';
import type { JobView } from '../../state/view.ts';
import { TurnOrder } from '../turnOrder.ts';
import type { Around } from './atItsTurn.ts';
import { linesFor } from './atItsTurn.ts';

/** Jobs that are named of those ahead. */
const namedMax = 8;

/** All that wait, and the subject, as the last pass looked at them. O(waiting jobs). */
export function orderOfAll(around: Around, subject: JobView): readonly JobView[] {
  const { state, context } = around.turn;
  const jobs = state.pending.flatMap((uid) => state.jobs.get(uid) ?? []);
  const nominees = jobs.filter(({ nomination }) => nomination !== null).sort(byNomination);
  const lines = linesFor(around, subject);
  const order = new TurnOrder({ state, lines, models: modelsPresent(state), standings: new Standings({ state, context }, lines) });
  const all = [...nominees];
  for (let job = order.next(); job !== null; job = order.next()) all.push(job);
  return all;
}

function byNomination(left: JobView, right: JobView): number {
  return (left.nomination?.atMs ?? 0) - (right.nomination?.atMs ?? 0) || (left.uid < right.uid ? -1 : 1);
}

/** Who cannot start whatever room there is is not ahead of anybody; the job itself counts in any case. */
export function positionOf({ turn, waits }: Around, order: readonly JobView[], uid: JobUid): Position {
  const isOut = (job: JobView): boolean =>
    judgeReadiness(turn.state, job, turn.context.nowMs) !== null || hopeless.has(waits.get(job.uid)?.kind ?? 'PassLimit');
  const counted = order.filter((job) => job.uid === uid || !isOut(job));
  const at = counted.findIndex((job) => job.uid === uid);
  const queue = counted[at]?.spec.queue;
  const inQueue = counted.filter((job) => job.spec.queue === queue);
  return {
    inQueue: { at: inQueue.findIndex((job) => job.uid === uid) + 1, of: inQueue.length },
    inAll: { at: at + 1, of: counted.length },
    ahead: counted.slice(0, Math.min(at, namedMax)).map((job) => ({ name: job.name, queue: job.spec.queue, gpus: gpusOf(job) })),
  };
}

/** No room is of use to them. */
const hopeless: ReadonlySet<WaitReason['kind']> = new Set(['NoSuchGpuModel', 'NoSuchGpuProfile', 'QueueHeld']);

/** All that the gang wants, in GPUs. */
const gpusOf = (job: JobView): number => milliOf(job) / gpuMilliPerGpu;
