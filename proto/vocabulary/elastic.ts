import type { JobSpec, Mesh } from './job.ts';
import { meshAxes } from './job.ts';

/**
 * At which sizes a job can run. A size is a number of workers. Without `elastic` there is one, `workers`; with it, every
 * multiple of the step from `minWorkers` to `maxWorkers`.
 *
 * The step is what keeps whole what must be whole. Segments: the outermost one, of which each inner one is a part. A mesh:
 * its data axis is what changes, as one data replica more or less leaves the program as it is, so the GPUs are a multiple of
 * the product of all other axes, and a worker is never cut.
 */
export type Sized = Pick<JobSpec, 'workers' | 'gpusPerWorker' | 'mesh' | 'segments' | 'elastic'>;

/** Workers from one size to the next; 1 or more. */
export function sizeStep({ gpusPerWorker, mesh, segments }: Omit<Sized, 'elastic' | 'workers'>): number {
  const outermost = Math.max(1, ...segments.map(({ workers }) => workers));
  return lcm(meshStep({ gpusPerWorker, mesh }), outermost);
}

/** Workers that hold whole data replicas, as few as do. */
export function meshStep({ gpusPerWorker, mesh }: Pick<Sized, 'gpusPerWorker' | 'mesh'>): number {
  if (mesh.length === 0 || gpusPerWorker === 0) return 1;
  const replica = replicaGpus(mesh);
  return replica / gcd(replica, gpusPerWorker);
}

/** GPUs of one data replica: the product of all other axes. */
export const replicaGpus = (mesh: Mesh): number =>
  mesh.reduce((product, { axis, size }) => (axis === 'data' ? product : product * size), 1);

/** The least and the largest; equal: it has one size. */
export function sizeRange(spec: Sized): { readonly min: number; readonly max: number; readonly step: number } {
  const { workers, elastic } = spec;
  if (elastic === null) return { min: workers, max: workers, step: 1 };
  const step = sizeStep(spec);
  return { min: Math.ceil(elastic.minWorkers / step) * step, max: Math.floor(elastic.maxWorkers / step) * step, step };
}

export function isAllowedSize(spec: Sized, workers: number): boolean {
  const { min, max, step } = sizeRange(spec);
  return workers >= min && workers <= max && (workers - min) % step === 0;
}

/** `4`, or `2, 4, … 16`. */
export function describeSizes(spec: Sized): string {
  const { min, max, step } = sizeRange(spec);
  if (min === max) return String(min);
  return max === min + step ? `${min} or ${max}` : `${min}, ${min + step}, … ${max}`;
}

/** The spec of a gang of this size: its number of workers, and its mesh with as many data replicas. The same object each time it is asked for. */
export function specOfSize(spec: JobSpec, workers: number): JobSpec {
  if (workers === spec.workers) return spec;
  const known = made.get(spec) ?? new Map<number, JobSpec>();
  made.set(spec, known);
  const found = known.get(workers) ?? { ...spec, workers, mesh: meshOfSize(spec, workers) };
  known.set(workers, found);
  return found;
}

/** So that what is remembered of a spec is remembered of its sizes too. */
const made = new WeakMap<JobSpec, Map<number, JobSpec>>();

function meshOfSize({ mesh, gpusPerWorker }: Pick<JobSpec, 'mesh' | 'gpusPerWorker'>, workers: number): Mesh {
  if (mesh.length === 0) return mesh;
  const data = (workers * gpusPerWorker) / replicaGpus(mesh);
  if (mesh.some(({ axis }) => axis === 'data')) return mesh.map((each) => (each.axis === 'data' ? { ...each, size: data } : each));
  // A mesh without a data axis is one replica.
  if (data <= 1) return mesh;
  // In its place among axes that stand in the usual order; else, in an order of the user's own, outside of them.
  const order = mesh.map(({ axis }) => meshAxes.indexOf(axis));
  const isUsual = order.every((place, at) => at === 0 || (order[at - 1] ?? 0) < place);
  const at = isUsual ? order.filter((place) => place < meshAxes.indexOf('data')).length : 0;
  return mesh.toSpliced(at, 0, { axis: 'data', size: data });
}

function gcd(left: number, right: number): number {
  return right === 0 ? left : gcd(right, left % right);
}

const lcm = (left: number, right: number): number => (left / gcd(left, right)) * right;
