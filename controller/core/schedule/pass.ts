import type { JobUid } from '#vocabulary/ids.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import type { JobView } from '../state/view.ts';
import type { Turn } from '../turn.ts';
import { chooseCoordinator } from './coordinator.ts';
import { openRoom } from './clusterRoom.ts';
import type { Failed, PlacementDecision } from './decidePlacement.ts';
import { decidePlacement } from './decidePlacement.ts';

/**
 * One scheduling pass: waiting jobs in order (priority, then age), each gang whole or not at all. A job that does not
 * fit does not hold up those behind it. The seam: whatever schedules takes a turn, emits AttemptPlaced and answers why
 * the others wait.
 */
export interface PassResult {
  /** Of every job that still waits. */
  readonly waits: ReadonlyMap<JobUid, WaitReason>;
  /** The pass stopped at its limit; another one is due at once. */
  readonly more: boolean;
}

export function runPass(turn: Turn): PassResult {
  const waits = new Map<JobUid, WaitReason>();
  const cluster = openRoom(turn.state, turn.context.policy.levels);
  const failed: Failed = new Map();
  let placed = 0;
  for (const uid of [...turn.state.pending]) {
    const job = turn.state.jobs.get(uid);
    if (job === undefined) continue;
    if (placed >= turn.context.policy.placementsPerStepMax) {
      waits.set(uid, { kind: 'PassLimit' });
      continue;
    }
    const decision = decidePlacement(turn.state, cluster, job, failed);
    if (!decision.ok) {
      waits.set(uid, decision.wait);
      continue;
    }
    emitPlaced(turn, job, decision);
    cluster.take(job, decision);
    placed += 1;
  }
  cluster.settle();
  return { waits, more: placed >= turn.context.policy.placementsPerStepMax && waits.size > 0 };
}

function emitPlaced(turn: Turn, job: JobView, decision: Extract<PlacementDecision, { ok: true }>): void {
  const attempt = (job.attempts.at(-1)?.number ?? 0) + 1;
  const coordinator = chooseCoordinator(turn.state, turn.context.policy.coordinatorPorts, {
    uid: job.uid,
    attempt,
    placement: decision.placement,
  });
  const resume = job.checkpoint === null ? null : { step: job.checkpoint.step, path: job.checkpoint.path };
  turn.emit({ kind: 'AttemptPlaced', uid: job.uid, attempt, placement: decision.placement, model: decision.model, coordinator, resume });
}
