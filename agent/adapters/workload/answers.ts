/** The JSON of the workload API: snake_case, as programs of any language read it. */
import type { ObservedCheckpoint } from '#vocabulary/observed.ts';
import type { SelfView, SuspensionView } from '../../core/selfView.ts';
import type { CheckpointReply, StepReply } from '../../ports/workload.ts';

export function selfJson(view: SelfView): object {
  return {
    job: view.jobName,
    job_uid: view.jobUid,
    attempt: view.attempt,
    worker: view.worker,
    workers: view.workers,
    rank: view.rank,
    local_rank: view.localRank,
    world_size: view.worldSize,
    coordinator: view.coordinator,
    mesh: Object.fromEntries(view.mesh.map(({ axis, size }) => [axis, size])),
    elastic: view.sizes === null ? null : { min_workers: view.sizes.min, max_workers: view.sizes.max },
    coordinates: Object.fromEntries(view.coordinates),
    peers: Object.fromEntries(view.peers),
    checkpoint_dir: view.checkpointFolder,
    resume: view.resume,
    last_checkpoint: view.lastCheckpoint === null ? null : checkpointPlace(view.lastCheckpoint),
    last_step: view.lastProgress?.step ?? null,
  };
}

const checkpointPlace = ({ step, path, scope }: ObservedCheckpoint): object => ({ step, path, scope });

export function stepJson({ stop, stopStep }: StepReply): object {
  return stopStep === null ? { stop } : { stop, stop_step: stopStep };
}

export function checkpointJson({ committed }: CheckpointReply): object {
  return { accepted: true, committed };
}

export function suspensionJson(view: SuspensionView): object {
  return {
    requested: view.requested,
    round: view.round,
    grace_ms: view.graceMs,
    deadline_in_s: view.deadlineInMs / 1000,
    stop_step: view.stopStep,
    decided: view.decided,
    reason: view.reason,
    workers: view.workers,
  };
}
