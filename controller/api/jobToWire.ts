import { phaseOf } from '#core/jobs/phaseOf.ts';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { jobSpecToWire } from '#codec/trainingJob.ts';
import { readJobLedger } from '#core/ledger/readLedger.ts';
import type { ToldStart } from '#core/learn/startErrors.ts';
import { inOrder } from '#core/schedule/mesh/inOrder.ts';
import type { NodeName } from '#vocabulary/ids.ts';
import { describeSwap, placesToKeep } from '#core/schedule/swap.ts';
import { currentAttempt } from '#core/state/state.ts';
import type { AttemptView, JobView, StateView } from '#core/state/view.ts';
import type {
  AttemptSchema,
  MarkSchema,
  MeshPlanSchema,
  ProgressSchema,
  RankSchema,
  ResizeSchema,
  StartEstimateSchema,
  TrainingJobSchema,
  TrainingJobStatusSchema,
  WorkerPlacementSchema,
} from '#gen/shoal/v1/training_job_pb.js';
import { specOfSize } from '#vocabulary/elastic.ts';
import type { WorkerPlace } from '#vocabulary/job.ts';
import { meshCoordinates, processesOf } from '#vocabulary/job.ts';
import { describeWait } from '#vocabulary/reasons.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import { meshToWire } from './meshToWire.ts';

/** What a job's status needs besides the job. */
export interface JobSurroundings {
  readonly state: StateView;
  readonly wait: WaitReason | undefined;
  readonly nowMs: number;
  /** What was said last of when it starts. */
  readonly start: ToldStart | undefined;
}

export function jobToWire(job: JobView, around: JobSurroundings): MessageInitShape<typeof TrainingJobSchema> {
  return {
    apiVersion: 'shoal.dev/v1',
    kind: 'TrainingJob',
    metadata: {
      name: job.name,
      uid: job.uid,
      labels: { ...job.labels },
      annotations: { ...job.annotations },
      resourceVersion: BigInt(job.changedAt),
      creationTimestamp: timestampFromMs(job.createdAtMs),
    },
    spec: jobSpecToWire(job.spec),
    status: statusOf(job, around),
  };
}

function statusOf(job: JobView, around: JobSurroundings): MessageInitShape<typeof TrainingJobStatusSchema> {
  const { reason, message } = describePhase(job, around.wait);
  const { checkpoint, restarts } = job;
  const amounts = Object.entries(readJobLedger(around.state, job, around.nowMs)).filter(([, amount]) => amount > 0n);
  return {
    phase: phaseOf(job),
    reason,
    message,
    user: job.user,
    attempts: job.attempts.map((attempt, at) => attemptToWire(attempt, job.attempts[at - 1])),
    ranks: ranksOf(job),
    ...progressOf(job),
    ...(checkpoint === null
      ? {}
      : { checkpoint: { step: BigInt(checkpoint.step), path: checkpoint.path, at: timestampFromMs(checkpoint.atMs) } }),
    restarts: { application: restarts.applicationAtMs.length, infrastructure: restarts.infrastructure, preemption: restarts.preemption },
    ledger: Object.fromEntries(amounts),
    ...(job.phase.kind === 'finished' ? { finishedAt: timestampFromMs(job.phase.atMs) } : {}),
    deleting: job.wanted === 'delete',
    workers: currentAttempt(job)?.placement.length ?? 0,
    ...resizeOf(job),
    ...(job.held === null ? {} : { held: markToWire(job.held) }),
    ...(job.next === null ? {} : { next: markToWire(job.next) }),
    ...startOf(job, around),
    ...meshOf(job, around.state),
    spares: sparesOf(around.state, job),
  };
}

/** Where it stands after what it leaves for, when that is another size. */
function resizeOf(job: JobView): { readonly resize?: MessageInitShape<typeof ResizeSchema> } {
  const attempt = currentAttempt(job);
  if (attempt?.stage.kind !== 'suspending' || attempt.stage.reason !== 'Resized' || job.move?.kind !== 'asked') return {};
  const from = attempt.placement.length;
  const to = job.move.placement.length;
  return { resize: { workers: to, message: to > from ? 'into GPUs that nobody wants' : 'others wait for what it gives back' } };
}

/** Of the newest attempt. */
function meshOf({ spec, attempts }: JobView, { nodes }: StateView): { readonly mesh?: MessageInitShape<typeof MeshPlanSchema> } {
  const { mesh = null, placement = [] } = attempts.at(-1) ?? {};
  return mesh === null ? {} : { mesh: meshToWire({ spec: specOfSize(spec, placement.length), placement, mesh }, nodes) };
}

function sparesOf({ spares, nodes }: StateView, { uid, spec }: JobView): string[] {
  if (spec.spares === 0) return [];
  const isItsOwn = (name: NodeName): boolean => {
    const spare = nodes.get(name)?.spare;
    return spare?.kind === 'job' && spare.uid === uid;
  };
  return [...spares].filter(isItsOwn).sort();
}

function startOf({ phase }: JobView, { start }: JobSurroundings): { readonly startEstimate?: Estimate } {
  return phase.kind !== 'pending' || start === undefined ? {} : { startEstimate: estimateToWire(start) };
}

type Estimate = MessageInitShape<typeof StartEstimateSchema>;

export function estimateToWire({ atMs, p50Ms, p90Ms }: ToldStart): Estimate {
  return { p50: timestampFromMs(p50Ms), p90: timestampFromMs(p90Ms), at: timestampFromMs(atMs) };
}

function markToWire({ by, atMs }: NonNullable<JobView['held']>): MessageInitShape<typeof MarkSchema> {
  return { by, at: timestampFromMs(atMs) };
}

function describePhase(job: JobView, wait: WaitReason | undefined): { readonly reason: string; readonly message: string } {
  switch (job.phase.kind) {
    case 'pending':
      return wait === undefined
        ? { reason: 'NotLookedAtYet', message: 'the next scheduling pass will look at it' }
        : { reason: wait.kind, message: describeWait(wait) };
    case 'suspended':
      return { reason: 'Suspended', message: `waits until somebody resumes it (\`shoal resume ${job.name}\`)` };
    case 'finished':
      return { reason: job.phase.reason, message: job.phase.message };
    case 'active': {
      const stage = currentAttempt(job)?.stage;
      if (stage?.kind === 'stopping') return { reason: stage.cause.reason, message: stage.cause.message };
      if (stage?.kind === 'suspending')
        return {
          reason: stage.reason,
          message: stage.stage.kind === 'ask' ? 'asking all ranks for a step to stop at' : `stops at step ${stage.stage.stopStep}`,
        };
      return { reason: '', message: '' };
    }
  }
}

function attemptToWire(attempt: AttemptView, before: AttemptView | undefined): MessageInitShape<typeof AttemptSchema> {
  const stage = attempt.stage.kind;
  return {
    number: attempt.number,
    placedAt: timestampFromMs(attempt.placedAtMs),
    ...(attempt.startedAtMs === null ? {} : { startedAt: timestampFromMs(attempt.startedAtMs) }),
    ...(attempt.endedAtMs === null ? {} : { endedAt: timestampFromMs(attempt.endedAtMs) }),
    stage: `${stage.slice(0, 1).toUpperCase()}${stage.slice(1)}`,
    stopReasons: [...(attempt.end?.reasons ?? [])],
    message: attempt.end?.message ?? '',
    chargedToUser: attempt.end?.charged ?? false,
    resumedFromStep: BigInt(attempt.resume?.step ?? 0),
    lastCheckpointStep: BigInt(attempt.lastCheckpointStep),
    lastStep: BigInt(attempt.lastStep),
    placement: attempt.placement.map(placeToWire),
    meshOrder: [...(attempt.mesh?.order ?? [])],
    swapped: describeSwap(placesToKeep({ attempts: before === undefined ? [] : [before] }), attempt.placement) ?? '',
  };
}

function ranksOf(job: JobView): MessageInitShape<typeof RankSchema>[] {
  const attempt = currentAttempt(job) ?? job.attempts.at(-1);
  if (attempt === undefined) return [];
  const spec = specOfSize(job.spec, attempt.placement.length);
  const processes = processesOf(spec);
  const mesh = attempt.mesh === null ? spec.mesh : inOrder(spec.mesh, attempt.mesh.order);
  const gpusPerRank = spec.gpusPerWorker / processes;
  const steps = job.progress !== null && job.progress.attempt === attempt.number ? job.progress.steps : {};
  return attempt.placement.flatMap((place, worker) =>
    Array.from({ length: processes }, (_, local) => {
      const rank = worker * processes + local;
      const record = attempt.workers[worker];
      const exitCode = record?.exitCodes[rank] ?? null;
      const state = record?.state ?? 'assigned';
      return {
        rank,
        worker,
        node: place.node,
        gpus: processes === 1 ? [...place.gpus] : place.gpus.slice(local, local + 1),
        state: `${state.slice(0, 1).toUpperCase()}${state.slice(1)}`,
        mesh: Object.fromEntries(meshCoordinates(mesh, rank * gpusPerRank)),
        step: BigInt(steps[rank] ?? 0),
        ...(exitCode === null ? {} : { exitCode }),
      };
    }),
  );
}

/** A new attempt that has said nothing yet stands where it resumed, not where the one before it broke off. */
function progressOf(job: JobView): { readonly progress?: MessageInitShape<typeof ProgressSchema> } {
  const attempt = job.attempts.at(-1);
  if (job.progress !== null && (attempt === undefined || job.progress.attempt === attempt.number))
    return { progress: progressToWire(job.progress) };
  return attempt?.resume === null || attempt === undefined
    ? {}
    : { progress: { step: BigInt(attempt.resume.step), at: timestampFromMs(attempt.placedAtMs) } };
}

function progressToWire(progress: NonNullable<JobView['progress']>): MessageInitShape<typeof ProgressSchema> {
  const { step, loss, tokens, stepSeconds, atMs } = progress;
  const rate = tokensPerSecond(progress);
  return {
    step: BigInt(step),
    at: timestampFromMs(atMs),
    ...(loss === null ? {} : { loss }),
    ...(tokens === null ? {} : { tokens }),
    ...(stepSeconds === null ? {} : { stepSeconds }),
    ...(rate === null ? {} : { tokensPerSecond: rate }),
  };
}

function tokensPerSecond(progress: NonNullable<JobView['progress']>): number | null {
  const { tokens, stepSeconds, step } = progress;
  return tokens === null || stepSeconds === null || stepSeconds <= 0 || step === 0 ? null : tokens / step / stepSeconds;
}

export function placeToWire({ node, gpus, slot = '' }: WorkerPlace, worker: number): MessageInitShape<typeof WorkerPlacementSchema> {
  return { role: 'worker', worker, node, gpus: [...gpus], slot };
}
