import { assert } from '#vocabulary/assert.ts';
import type { JobUid } from '#vocabulary/ids.ts';
import type { JobSpec, WorkerPlace } from '#vocabulary/job.ts';
import { milliPerGpu } from '#vocabulary/job.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';

/**
 * Who holds how much of each GPU of a node. A whole GPU is one hold of 1000; several jobs may hold parts, and what is
 * held of a GPU is never more than the GPU: promise 1, asserted here. All workers of a job on one GPU are one hold.
 */
export interface Hold {
  readonly job: JobUid;
  /** Thousandths of the GPU, 1..1000. */
  readonly milli: number;
}

/** By GPU index; of one GPU in the order of job uids, so that nothing depends on who came first. */
export type Holds = readonly (readonly Hold[])[];

interface Held {
  readonly holds: Holds;
}

/** Of a GPU that nobody holds. One for all, so that 100,000 idle GPUs cost one array. */
export const noHolds: readonly Hold[] = [];

/** Thousandths that nobody holds, whatever the GPU's health; 0 for an index that the node does not have. */
export function freeMilli(node: Held, gpu: number): number {
  const holds = node.holds[gpu];
  return holds === undefined ? 0 : gpuMilliPerGpu - sumMilli(holds);
}

/** False for an index that the node does not have. */
export function isWhollyFree(node: Held, gpu: number): boolean {
  return node.holds[gpu]?.length === 0;
}

export function holdersOf(node: Held, gpu: number): readonly Hold[] {
  return node.holds[gpu] ?? noHolds;
}

/** Thousandths that jobs hold on all GPUs of the node together. */
export function heldMilli(node: Held): number {
  return node.holds.reduce((sum, holds) => sum + sumMilli(holds), 0);
}

function sumMilli(holds: readonly Hold[]): number {
  let sum = 0;
  for (const { milli } of holds) sum += milli;
  return sum;
}

/** The parts of a node's and of a job's record that holding is about. */
interface Holding {
  readonly name: string;
  readonly holds: (readonly Hold[])[];
  readonly jobs: Set<JobUid>;
}
interface Holder {
  readonly uid: JobUid;
  readonly spec: Pick<JobSpec, 'gpuShareMilli' | 'gpuProfile'>;
}

/** Gives a worker its GPUs. To be called inside `changeNode` (ledger/rates.ts), which keeps the ledger in step. */
export function holdAll(node: Holding, job: Holder, { gpus }: WorkerPlace): void {
  const hold: Hold = { job: job.uid, milli: milliPerGpu(job.spec) };
  for (const gpu of gpus) takeHold(node, gpu, hold);
  node.jobs.add(job.uid);
}

/** Takes them back when the whole attempt leaves. Inside `changeNode`, too. */
export function releaseAll(node: Holding, job: Holder, { gpus }: WorkerPlace): void {
  const hold: Hold = { job: job.uid, milli: milliPerGpu(job.spec) };
  for (const gpu of gpus) releaseHold(node, gpu, hold);
  node.jobs.delete(job.uid);
}

export function takeHold(node: Pick<Holding, 'name' | 'holds'>, gpu: number, hold: Hold): void {
  const holds = node.holds[gpu];
  const free = holds === undefined ? 0 : gpuMilliPerGpu - sumMilli(holds);
  // The sentence is made only when it is needed: this is called for every GPU of every gang.
  const fits = holds !== undefined && hold.milli > 0 && hold.milli <= free;
  assert(fits, fits ? '' : describeConflict(node, gpu, hold, free));
  node.holds[gpu] = holds.length === 0 ? [hold] : withMilli(holds, hold.job, hold.milli);
}

function describeConflict(node: Pick<Holding, 'name' | 'holds'>, gpu: number, { job, milli }: Hold, free: number): string {
  const held = holdersOf(node, gpu).map((hold) => `${hold.job} ${hold.milli}`);
  return `GPU ${gpu} of ${node.name}: ${job} is given ${milli}, ${free} are free, held by ${held.length === 0 ? 'nobody' : held.join(', ')}`;
}

/** Releases so much, or what there is of it; a job that holds nothing there is left alone. */
export function releaseHold(node: Pick<Holding, 'holds'>, gpu: number, hold: Hold): void {
  const holds = holdersOf(node, gpu);
  const [only] = holds;
  if (holds.length === 1 && only?.job === hold.job && only.milli === hold.milli) node.holds[gpu] = noHolds;
  else if (holds.some(({ job }) => job === hold.job)) node.holds[gpu] = withMilli(holds, hold.job, -hold.milli);
}

function withMilli(holds: readonly Hold[], job: JobUid, change: number): readonly Hold[] {
  const milli = change + (holds.find((hold) => hold.job === job)?.milli ?? 0);
  const others = holds.filter((hold) => hold.job !== job);
  if (milli <= 0) return others.length === 0 ? noHolds : others;
  return [...others, { job, milli }].sort((left, right) => (left.job < right.job ? -1 : 1));
}
