import type { JobUid } from '#vocabulary/ids.ts';
import type { JobSpec, Placement } from '#vocabulary/job.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import { findBrokenLimit } from '../queues/usage.ts';
import type { JobView, StateView } from '../state/view.ts';
import type { Turn } from '../turn.ts';
import { judgeReadiness, wakeAtMs } from '../jobs/readiness.ts';
import { chooseCoordinator } from './coordinator.ts';
import type { FreeTree, WorkerShape } from './freeTree.ts';
import { findPlacement } from './place.ts';
import type { Room } from './room.ts';
import { openRoom } from './room.ts';

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
  /** Another one is due then, though nothing else happens; null: time alone changes nothing. */
  readonly wakeAtMs: number | null;
}

export function runPass(turn: Turn): PassResult {
  const waits = new Map<JobUid, WaitReason>();
  const room = openRoom(turn.state, turn.context.policy.levels);
  let placed = 0;
  let wakeMs: number | null = null;
  for (const uid of [...turn.state.pending]) {
    const job = turn.state.jobs.get(uid);
    if (job === undefined) continue;
    if (placed >= turn.context.policy.placementsPerStepMax) {
      waits.set(uid, { kind: 'PassLimit' });
      continue;
    }
    const notReady = judgeReadiness(turn.state, job, turn.context.nowMs);
    if (notReady !== null) {
      waits.set(uid, notReady);
      const atMs = wakeAtMs(notReady);
      if (atMs !== null) wakeMs = Math.min(atMs, wakeMs ?? atMs);
      continue;
    }
    const decision = decidePlacement(turn.state, room, job);
    if (!decision.ok) {
      waits.set(uid, decision.wait);
      continue;
    }
    emitPlaced(turn, job, decision);
    room.taken(decision.placement);
    placed += 1;
  }
  return { waits, more: placed >= turn.context.policy.placementsPerStepMax && waits.size > 0, wakeAtMs: wakeMs };
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

export type PlacementDecision =
  | { readonly ok: true; readonly placement: Placement; readonly model: string | null }
  | { readonly ok: false; readonly wait: WaitReason };

/** What the decision needs of a job: also one that does not exist yet (`shoal apply --dry-run=server`). */
export type Candidate = Pick<JobView, 'user' | 'spec' | 'attempts'>;

/** Where the job would go now, or why it waits. Pure: the same for the pass and for a plan. */
export function decidePlacement(state: StateView, room: Room, job: Candidate): PlacementDecision {
  const { spec } = job;
  const keep = placesToKeep(job);
  const shapeKey = `${spec.workers}x${spec.gpusPerWorker} ${spec.gpuModels.join(',')} ${requiredDepth(spec, room.levels)}`;
  const remembered = keep.length === 0 ? room.failed.get(shapeKey) : undefined;
  if (remembered !== undefined) return { ok: false, wait: remembered };
  const models =
    spec.gpusPerWorker === 0
      ? [null]
      : keptFirst(room.models(spec.gpuModels), keep.length === 0 ? null : (job.attempts.at(-1)?.model ?? null));
  let wait: WaitReason = { kind: 'NoSuchGpuModel', wanted: spec.gpuModels, present: room.models([]) };
  let limited = false;
  for (const model of models) {
    const broken = findBrokenLimit(state, job, model);
    if (broken !== null) {
      [wait, limited] = [broken, true];
      continue;
    }
    const shape: WorkerShape = { model, gpus: spec.gpusPerWorker };
    const tree = room.tree(shape);
    const placement = findPlacement(state, tree, { workers: spec.workers, shape, requiredDepth: requiredDepth(spec, room.levels), keep });
    if (placement !== null) return { ok: true, placement, model };
    wait = describeShortage(spec, tree, room, shape);
  }
  // A quota is this queue's and user's own; a shortage of GPUs holds for every job of the shape in this pass.
  if (!limited && keep.length === 0) room.failed.set(shapeKey, wait);
  return { ok: false, wait };
}

/** After a fault of the machine the sound workers keep their places; in all other cases the gang is placed anew. */
function placesToKeep(job: Candidate): Placement {
  const last = job.attempts.at(-1);
  const reason = last?.end?.reasons[0];
  return last !== undefined && (reason === 'NodeFailure' || reason === 'GpuFailure') ? last.placement : [];
}

/** Kept places are of one model: on another one nobody could stay. */
function keptFirst(models: readonly string[], kept: string | null): readonly string[] {
  return kept !== null && models.includes(kept) ? [kept, ...models.filter((model) => model !== kept)] : models;
}

function requiredDepth(spec: Pick<JobSpec, 'constraints'>, levels: readonly string[]): number {
  return Math.max(
    0,
    ...spec.constraints.filter((constraint) => constraint.mode === 'required').map((constraint) => levels.indexOf(constraint.level) + 1),
  );
}

function describeShortage(spec: JobSpec, tree: FreeTree, room: Room, shape: WorkerShape): WaitReason {
  const wanted = { workers: spec.workers, gpusPerWorker: spec.gpusPerWorker };
  const depth = requiredDepth(spec, room.levels);
  const { slots } = tree.root;
  if (depth > 0 && slots >= spec.workers) {
    const best = Math.max(0, ...(tree.byDepth[depth] ?? []).map((domain) => domain.slots));
    return { kind: 'LevelTooSmall', wanted, level: room.levels[depth - 1] ?? '', best };
  }
  return { kind: 'InsufficientGpus', wanted, free: room.freeGpus(shape.model), slots, model: shape.model };
}
