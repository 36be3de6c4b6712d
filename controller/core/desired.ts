import type { AssignedWorker, Assignment, Desire, Launch } from '#vocabulary/assignment.ts';
import type { NodeName } from '#vocabulary/ids.ts';
import { generation } from '#vocabulary/ids.ts';
import type { JobSpec, WorkerPlace } from '#vocabulary/job.ts';
import { sizeRange, specOfSize } from '#vocabulary/elastic.ts';
import { processesOf, workerKey } from '#vocabulary/job.ts';
import { inOrder } from './schedule/mesh/inOrder.ts';
import { currentAttempt } from './state/state.ts';
import type { AttemptView, JobView, StateView } from './state/view.ts';

/** The whole desired set of a node, from the state alone. A node that is lost is told to hold nothing of what it lost. */
export function desiredFor(state: StateView, name: NodeName): Assignment {
  const node = state.nodes.get(name);
  const workers: AssignedWorker[] = [];
  for (const uid of node?.jobs ?? []) {
    const job = state.jobs.get(uid);
    const attempt = job === undefined ? undefined : currentAttempt(job);
    if (job === undefined || attempt === undefined) continue;
    const desire = desireOf(job, attempt);
    for (const [worker, place] of attempt.placement.entries()) {
      if (place.node !== name || attempt.workers[worker]?.state === 'lost') continue;
      workers.push({
        id: { job: uid, attempt: attempt.number, worker },
        gpus: place.gpus,
        launch: launchOf(job, attempt, { worker, place }),
        desire,
      });
    }
  }
  const keyed = workers.map((worker) => ({ worker, key: workerKey(worker.id) })).sort((left, right) => (left.key < right.key ? -1 : 1));
  return { epoch: state.epoch, generation: node?.generation ?? generation(0), workers: keyed.map((entry) => entry.worker) };
}

function desireOf({ move }: JobView, { stage }: AttemptView): Desire {
  if (stage.kind === 'suspending') {
    const { round, graceMs, reason } = stage;
    const workers = reason === 'Resized' && move?.kind === 'asked' ? move.placement.length : null;
    return { kind: 'suspend', round, stage: stage.stage, graceMs, why: { reason, workers } };
  }
  if (stage.kind === 'stopping') return { kind: 'stop', graceMs: stage.graceMs, reason: stage.cause.reason };
  return { kind: 'run' };
}

function launchOf(job: JobView, attempt: AttemptView, { worker, place }: { readonly worker: number; readonly place: WorkerPlace }): Launch {
  const spec = specOfSize(job.spec, attempt.placement.length);
  const processes = processesOf(spec);
  const { command, env, workingDirectory, cpuMilli, memoryBytes } = spec.template;
  return {
    jobName: job.name,
    workers: spec.workers,
    nodeRank: worker,
    firstRank: worker * processes,
    processes,
    worldSize: spec.workers * processes,
    gpusPerWorker: spec.gpusPerWorker,
    gpuShareMilli: spec.gpuShareMilli,
    ...(place.slot === undefined || spec.gpuProfile === null ? {} : { gpuSlot: { profile: spec.gpuProfile, uuid: place.slot } }),
    coordinatorAddress: attempt.coordinator.address,
    coordinatorPort: attempt.coordinator.port,
    command,
    env,
    workingDirectory,
    cpuMilli,
    memoryBytes,
    mesh: attempt.mesh === null ? spec.mesh : inOrder(spec.mesh, attempt.mesh.order),
    ...sizesOf(job.spec),
    checkpoint:
      spec.checkpoint === null
        ? null
        : {
            directory: spec.checkpoint.directory,
            resume: attempt.resume,
            keep: spec.checkpoint.keep,
            intervalMs: spec.checkpoint.intervalMs,
          },
  };
}

function sizesOf(spec: JobSpec): Pick<Launch, 'sizes'> {
  if (spec.elastic === null) return {};
  const { min, max } = sizeRange(spec);
  return { sizes: { min, max } };
}
