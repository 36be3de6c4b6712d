/** Workers, GPUs and mesh of a job: each follows from the others where it is not given, and all must agree. */
import type { TrainingJobSpec } from '#gen/shoal/v1/training_job_pb.js';
import type { Mesh } from '#vocabulary/job.ts';
import { gpuMilliPerGpu, parseQuantityMilli } from '#vocabulary/units.ts';
import { excerpt, type Problems } from './fieldProblem.ts';
import { compileMesh } from './meshFields.ts';

/** Most ranks, and most GPUs, of one job. */
export const worldSizeMax = 131_072;
/** Most workers of one job; also the largest that `rules.proto` lets one write. */
const workersMax = 16_384;

export interface GangShape {
  readonly workers: number;
  readonly gpusPerWorker: number;
  readonly gpuShareMilli: number | null;
  readonly gpuProfile: string | null;
  readonly mesh: Mesh;
}

type ShapeFields = Pick<
  TrainingJobSpec,
  'workers' | 'gpusPerWorker' | 'gpuShare' | 'gpuProfile' | 'processesPerWorker' | 'mesh' | 'placement'
>;

/** What it finds wrong goes to `problems`; the shape is then of no use. */
export function compileGangShape(spec: ShapeFields, problems: Problems): GangShape {
  if (spec.gpuProfile !== '') return compileSlots(spec, problems);
  if (spec.gpuShare !== '') return compileShare(spec, problems);
  const mesh = compileMesh(spec);
  const gpusPerWorker = spec.gpusPerWorker ?? 1;
  const workers = spec.workers ?? derivedWorkers(mesh, gpusPerWorker, problems);
  if (mesh.length > 0 && spec.workers !== undefined) judgeMesh(mesh, workers, gpusPerWorker, problems);
  if (workers * gpusPerWorker > worldSizeMax) {
    problems.add(
      'spec.workers',
      `workers ${workers} x gpusPerWorker ${gpusPerWorker} = ${workers * gpusPerWorker} GPUs; allowed: at most ${worldSizeMax}`,
    );
  }
  return { workers, gpusPerWorker, gpuShareMilli: null, gpuProfile: null, mesh };
}

/** Workers that have a part of one GPU each: nothing that speaks of whole GPUs goes with it. */
function compileShare(spec: ShapeFields, problems: Problems): GangShape {
  const gpuShareMilli = parseQuantityMilli(spec.gpuShare) ?? 0;
  if (gpuShareMilli < 1 || gpuShareMilli >= gpuMilliPerGpu) {
    problems.add(
      'spec.gpuShare',
      `${excerpt(spec.gpuShare)} is out of range; allowed: more than 0 and less than 1 (whole GPUs: gpusPerWorker)`,
    );
  }
  judgeWholeGpuFields(spec, `given, but spec.gpuShare ${spec.gpuShare} is a part of one GPU`, problems);
  return { workers: spec.workers ?? 1, gpusPerWorker: 1, gpuShareMilli, gpuProfile: null, mesh: [] };
}

/** Workers that have a slot each. */
function compileSlots(spec: ShapeFields, problems: Problems): GangShape {
  const { gpuProfile } = spec;
  const given = `given, but spec.gpuProfile ${gpuProfile} is one slot of one GPU`;
  if (spec.gpuShare !== '') problems.add('spec.gpuShare', `${excerpt(spec.gpuShare)} is ${given}: a slot is never shared`);
  judgeWholeGpuFields(spec, given, problems);
  return { workers: spec.workers ?? 1, gpusPerWorker: 1, gpuShareMilli: null, gpuProfile, mesh: [] };
}

function judgeWholeGpuFields(spec: ShapeFields, given: string, problems: Problems): void {
  if (spec.gpusPerWorker !== undefined) problems.add('spec.gpusPerWorker', given);
  if (Object.keys(spec.mesh).length > 0) problems.add('spec.mesh', given);
  if (spec.processesPerWorker === 'gpu') problems.add('spec.processesPerWorker', `gpu is ${given}`);
}

function derivedWorkers(mesh: Mesh, gpusPerWorker: number, problems: Problems): number {
  if (mesh.length === 0) return 1;
  const product = meshProduct(mesh);
  const gpus = `${describeMesh(mesh)} = ${product} GPUs`;
  if (gpusPerWorker === 0) problems.add('spec.mesh', `${gpus}, but gpusPerWorker is 0`);
  else if (product > worldSizeMax) problems.add('spec.mesh', `${gpus}; allowed: at most ${worldSizeMax}`);
  else if (product % BigInt(gpusPerWorker) !== 0n)
    problems.add('spec.mesh', `${gpus}, which is no multiple of gpusPerWorker ${gpusPerWorker}`);
  else if (product / BigInt(gpusPerWorker) > workersMax) {
    problems.add(
      'spec.mesh',
      `${gpus} / gpusPerWorker ${gpusPerWorker} = ${product / BigInt(gpusPerWorker)} workers; allowed: at most ${workersMax}`,
    );
  } else return Number(product) / gpusPerWorker;
  return 1;
}

function judgeMesh(mesh: Mesh, workers: number, gpusPerWorker: number, problems: Problems): void {
  const product = meshProduct(mesh);
  const gpus = workers * gpusPerWorker;
  if (product === BigInt(gpus)) return;
  problems.add(
    'spec.mesh',
    `${describeMesh(mesh)} = ${product} GPUs, but workers ${workers} x gpusPerWorker ${gpusPerWorker} = ${gpus} GPUs`,
  );
}

/** Exact: five axes of 131072 are more than a double holds. */
const meshProduct = (mesh: Mesh): bigint => mesh.reduce((product, { size }) => product * BigInt(size), 1n);

const describeMesh = (mesh: Mesh): string => mesh.map(({ axis, size }) => `${axis} ${size}`).join(' x ');
