import { defaultGraceMs, type JobSpec } from '#vocabulary/job.ts';
import { replicaGpus } from '#vocabulary/elastic.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import type { Remedy } from '#vocabulary/verdict.ts';
import { modelsPresent } from '../../jobs/emptyRoom.ts';
import type { JobView } from '../../state/view.ts';
import { requestOf } from '../requestOf.ts';
import type { Around, Stand } from './atItsTurn.ts';
import { changedSpec } from './changedSpec.ts';

/**
 * Changes that may let the job start, for those who read: what it could do with less comes first, then what it could do
 * without, then what others would have to do. Those that concern its own spec have been tried in the room that is in its reach; all of them are
 * still to be tried at their own turn (remedies.ts).
 */
export function proposeRemedies(around: Around, stand: Stand, job: JobView, wait: WaitReason): readonly Remedy[] {
  const proposed = proposeFor(around, stand, job, wait);
  // The manifest of an array is that of all its jobs: it cannot change one of them.
  return job.array === null ? proposed : proposed.filter((remedy) => changedSpec(job.spec, remedy) === null);
}

function proposeFor(around: Around, stand: Stand, job: JobView, wait: WaitReason): readonly Remedy[] {
  switch (wait.kind) {
    case 'Held':
      return [{ kind: 'Release' }];
    case 'NotBefore':
      return [{ kind: 'StartNow' }];
    case 'Dependency':
    case 'DependencyNever':
      return [{ kind: 'NoDependency', jobs: job.spec.after.map((each) => each.job) }];
    case 'QueueHeld':
      return [{ kind: 'OpenQueue', queue: wait.queue }];
    case 'QueueLimit':
      return [...shapes(around, stand, job), raised(wait, 'QueueLimit')];
    case 'UserLimit':
      return [...shapes(around, stand, job), raised(wait, 'UserLimit')];
    case 'UserMaxRunning':
      return [{ kind: 'UserMaxRunning', queue: wait.queue, limit: wait.limit + 1 }];
    case 'InsufficientGpus':
    case 'LevelTooSmall':
    case 'NoSuchGpuModel':
    case 'NoSuchGpuProfile':
    case 'Reserved':
    case 'Reservation':
    case 'WaitingForTarget':
      return [...shapes(around, stand, job), ...turns(around, stand, job)];
    case 'WaitingForVictims':
    case 'PassLimit':
    case 'ArrayParallelism':
      return [];
  }
}

type LimitWait = Extract<WaitReason, { kind: 'QueueLimit' | 'UserLimit' }>;

const raised = ({ queue, model, used, wanted }: LimitWait, kind: LimitWait['kind']): Remedy => ({
  kind,
  queue,
  model,
  limit: Math.ceil(used + wanted),
});

/** What may be changed of a job's own wishes. Where it stands is fixed once it has stood somewhere, but for the nodes that it avoids. */
function shapes(around: Around, stand: Stand, job: JobView): readonly Remedy[] {
  const { spec } = job;
  const fits = (remedy: Remedy): boolean => {
    const changed = changedSpec(spec, remedy);
    return changed !== null && stand.backfill.decideAlone({ ...job, spec: changed }).ok;
  };
  const avoidNone: readonly Remedy[] = spec.avoidNodes.length === 0 ? [] : [{ kind: 'AvoidNone' }];
  if (job.attempts.length > 0) return avoidNone.filter(fits);
  return [
    ...firstOf(widerLevels(around, job), fits),
    ...largestOf(fewerWorkers(spec), fits),
    ...firstOf(smallerWorkers(spec), fits),
    ...largestOf(fewerGpus(spec), fits),
    ...otherModels(around, spec).filter(fits).slice(0, modelsMax),
    ...[...withoutWishes(spec), ...avoidNone].filter(fits),
  ];
}

const modelsMax = 3;

function firstOf(remedies: readonly Remedy[], fits: (remedy: Remedy) => boolean): readonly Remedy[] {
  const first = remedies.find(fits);
  return first === undefined ? [] : [first];
}

/** Of sizes in growing order: what holds more holds less. */
function largestOf(remedies: readonly Remedy[], fits: (remedy: Remedy) => boolean): readonly Remedy[] {
  let [low, high] = [0, remedies.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const remedy = remedies[middle];
    if (remedy !== undefined && fits(remedy)) low = middle + 1;
    else high = middle;
  }
  return remedies.slice(Math.max(0, low - 1), low);
}

/** The next wider one first. */
function widerLevels({ cluster, turn }: Around, job: JobView): readonly Remedy[] {
  const { requiredDepth } = requestOf(cluster, job, null, turn.context.nowMs);
  const from = cluster.levels[requiredDepth - 1];
  if (from === undefined) return [];
  return [...cluster.levels.slice(0, requiredDepth - 1).toReversed(), null].map((level): Remedy => {
    const depth = level === null ? 0 : cluster.levels.indexOf(level);
    // No level inside the wanted one is asked for any more.
    const outside = job.spec.constraints.filter((each) => cluster.levels.indexOf(each.level) < depth);
    const constraints = level === null ? [] : [...outside, { level, mode: 'required' as const, waitMs: null }];
    return { kind: 'WiderLevel', from, level, constraints };
  });
}

/** Whole segments, in growing order. An elastic job waits as its smallest gang: there is nothing less. */
function fewerWorkers({ workers, gpusPerWorker, mesh, segments, elastic }: JobSpec): readonly Remedy[] {
  if (elastic !== null) return [];
  const segment = Math.max(1, ...segments.map((each) => each.workers));
  const sizes: Remedy[] = [];
  for (let size = segment; size < workers; size += segment) {
    const data = dataFor(mesh, size * gpusPerWorker);
    if (data !== undefined) sizes.push({ kind: 'FewerWorkers', workers: size, data });
  }
  return sizes;
}

/** Of an elastic job with a mesh it would be another mesh at each size. */
function fewerGpus({ workers, gpusPerWorker, mesh, elastic }: JobSpec): readonly Remedy[] {
  if (elastic !== null && mesh.length > 0) return [];
  const sizes: Remedy[] = [];
  for (let size = 1; size < gpusPerWorker; size += 1) {
    const data = dataFor(mesh, workers * size);
    if (data !== undefined) sizes.push({ kind: 'FewerGpus', gpusPerWorker: size, data });
  }
  return sizes;
}

/** The size of the mesh's data axis with so many GPUs; null: there is no mesh. undefined: the other axes do not divide them. */
function dataFor(mesh: JobSpec['mesh'], gpus: number): number | null | undefined {
  if (mesh.length === 0) return null;
  const others = replicaGpus(mesh);
  return mesh.some(({ axis }) => axis === 'data') && gpus % others === 0 ? gpus / others : undefined;
}

/** As few parts as do. What a worker asks for beside its GPUs cannot be divided by guessing. */
function smallerWorkers({ workers, gpusPerWorker, segments, spread, elastic, template }: JobSpec): readonly Remedy[] {
  if (elastic !== null || template.cpuMilli !== null || template.memoryBytes !== null) return [];
  const sizes: Remedy[] = [];
  for (let parts = 2; parts <= gpusPerWorker && workers * parts <= workersMax; parts += 1) {
    if (gpusPerWorker % parts !== 0) continue;
    sizes.push({
      kind: 'SmallerWorkers',
      workers: workers * parts,
      gpusPerWorker: gpusPerWorker / parts,
      segments: segments.map((segment) => ({ ...segment, workers: segment.workers * parts })),
      spread: spread === null ? null : { ...spread, max: spread.max * parts },
    });
  }
  return sizes;
}

/** As in manifests. */
const workersMax = 16_384;

function otherModels({ turn }: Around, { gpuModels }: JobSpec): readonly Remedy[] {
  if (gpuModels.length === 0) return [];
  return modelsPresent(turn.state).flatMap((model) => (gpuModels.includes(model) ? [] : [{ kind: 'OtherModel', model } as const]));
}

function withoutWishes({ segments, spread, exclusive, nodeSelector }: JobSpec): readonly Remedy[] {
  return [
    ...(segments.length === 0 ? [] : [{ kind: 'NoSegments' } as const]),
    ...(spread === null ? [] : [{ kind: 'NoSpread' } as const]),
    ...(exclusive === null ? [] : [{ kind: 'NotExclusive', level: exclusive } as const]),
    ...(Object.keys(nodeSelector).length === 0 ? [] : [{ kind: 'AnyNode' } as const]),
  ];
}

/** What is free is kept for others: it may be gone before they come, or go before them. */
function turns({ turn }: Around, { backfill }: Stand, job: JobView): readonly Remedy[] {
  const { state, context } = turn;
  const promised = backfill.promises.all.filter((promise) => promise.job !== job.uid);
  if (promised.length === 0) return [];
  const nameOf = (uids: readonly (typeof promised)[number]['job'][]): readonly string[] =>
    [...new Set(uids.flatMap((uid) => state.jobs.get(uid)?.name ?? []))].sort();
  const { checkpoint, deadlineMs } = job.spec;
  const deadlines = promised.flatMap(({ startMs }): readonly Remedy[] => {
    const atMs = Math.floor((startMs - context.policy.stopSlackMs - (checkpoint?.graceMs ?? defaultGraceMs)) / 1000) * 1000;
    if (atMs <= context.nowMs || (deadlineMs !== null && deadlineMs <= atMs)) return [];
    return [{ kind: 'Deadline', atMs, before: nameOf(promised.filter((other) => other.startMs >= startMs).map((other) => other.job)) }];
  });
  const fits = (remedy: Remedy): boolean =>
    remedy.kind === 'Deadline' && backfill.decideAlone({ ...job, spec: { ...job.spec, deadlineMs: remedy.atMs } }).ok;
  // Nominees come first whoever is put first.
  const passable = promised.filter((promise) => state.jobs.get(promise.job)?.nomination === null).map((promise) => promise.job);
  return [
    ...firstOf(deadlines.toReversed(), fits),
    ...(passable.length === 0 || job.target !== null ? [] : [{ kind: 'Next', before: nameOf(passable) } as const]),
  ];
}
