/**
 * The three generators of Kueue's own scheduling performance tests, with the thresholds that its CI checks, and how they
 * become queues, nodes and jobs of ours.
 *
 * Source of every number that is named after Kueue: kubernetes-sigs/kueue (Apache-2.0), test/performance/scheduler/configs/
 * {baseline,large-scale,tas}/{generator,rangespec}.yaml at ff69552e of 2026-08-22. Written anew here, as numbers.
 *
 *   cohort          a root queue; guaranteed and limit are the sum of what its cluster queues have, as borrowing never gives more
 *   cluster queue   a queue below it; guaranteed: nominalQuota; limit: nominalQuota + borrowingLimit
 *   workload        a TrainingJob, preemptible at any time, without checkpoints, that declares no run time: Kueue knows none either
 *   priority        50, 100, 200 become 25, 50, 100
 *   CPU             GPUs, as our quotas are of GPUs. Without topology one CPU is a GPU, and a workload of n CPUs n workers of a
 *                   GPU: Kueue places nothing there, so no fragmentation may hinder ours. With topology 2.5 CPUs are a GPU:
 *                   pods of 500m, 1250m and 2500m become workers of 0.2, 0.5 and 1 GPU.
 *   topology        required and preferred are the same; a slice is a segment
 *
 * Two of Kueue's rules are narrower than ours: it preempts by priority inside one cluster queue only and across queues only to
 * reclaim, while ours asks any job of lower priority whose queue keeps its guarantee.
 */
import { milliPerGpu, type JobSpec } from '#vocabulary/job.ts';

export interface Setup {
  readonly name: string;
  readonly cohorts: number;
  readonly queuesPerCohort: number;
  /** GPUs. */
  readonly guaranteed: number;
  readonly limit: number;
  /** Of 8 GPUs; those of one rack stand together. */
  readonly nodes: number;
  readonly nodesPerRack: number;
  readonly classes: readonly WorkloadClass[];
  readonly kueue: {
    readonly workloadsPerSecond: number;
    readonly makespanMs: Threshold;
    /** Share of the nominal quota held, on average over the whole run; at least. */
    readonly usagePct: Threshold;
  };
}

/** What Kueue's CI demands, and what its comments say it had (a mean). */
export interface Threshold {
  readonly bound: number;
  readonly seen: number;
}

export interface WorkloadClass {
  readonly name: string;
  /** In each queue. */
  readonly count: number;
  /** From one to the next in a queue; the first comes after one interval. */
  readonly intervalMs: number;
  /** From admission to end. */
  readonly runtimeMs: number;
  readonly spec: Pick<JobSpec, 'priority' | 'workers'> & Partial<JobSpec>;
  /** Mean from creation to the last admission; at most. */
  readonly admissionMs: Threshold;
}

/** GPUs of one workload. */
export const gpusOf = ({ spec: { workers, gpuShareMilli = null, gpuProfile = null } }: WorkloadClass): number =>
  (workers * milliPerGpu({ gpuShareMilli, gpuProfile })) / 1000;

const baseline: Setup = {
  name: 'baseline',
  cohorts: 5,
  queuesPerCohort: 6,
  guaranteed: 20,
  limit: 120,
  nodes: 75,
  nodesPerRack: 15,
  classes: [
    {
      name: 'small',
      count: 350,
      intervalMs: 100,
      runtimeMs: 200,
      spec: { priority: 25, workers: 1 },
      admissionMs: { bound: 260_000, seen: 215_468 },
    },
    {
      name: 'medium',
      count: 100,
      intervalMs: 500,
      runtimeMs: 500,
      spec: { priority: 50, workers: 5 },
      admissionMs: { bound: 90_000, seen: 76_768 },
    },
    {
      name: 'large',
      count: 50,
      intervalMs: 1_200,
      runtimeMs: 1_000,
      spec: { priority: 100, workers: 20 },
      admissionMs: { bound: 23_000, seen: 16_501 },
    },
  ],
  kueue: { workloadsPerSecond: 42.7, makespanMs: { bound: 425_000, seen: 351_116 }, usagePct: { bound: 50, seen: 55.9 } },
};

const largeScale: Setup = {
  name: 'large-scale',
  cohorts: 10,
  queuesPerCohort: 100,
  guaranteed: 20,
  limit: 120,
  nodes: 2_500,
  nodesPerRack: 20,
  classes: [
    {
      name: 'small',
      count: 35,
      intervalMs: 60,
      runtimeMs: 150,
      spec: { priority: 25, workers: 1 },
      admissionMs: { bound: 841_000, seen: 700_379 },
    },
    {
      name: 'medium',
      count: 11,
      intervalMs: 300,
      runtimeMs: 350,
      spec: { priority: 50, workers: 5 },
      admissionMs: { bound: 308_000, seen: 256_413 },
    },
    {
      name: 'large',
      count: 4,
      intervalMs: 700,
      runtimeMs: 700,
      spec: { priority: 100, workers: 20 },
      admissionMs: { bound: 128_000, seen: 105_604 },
    },
  ],
  kueue: { workloadsPerSecond: 42.4, makespanMs: { bound: 1_416_000, seen: 1_179_411 }, usagePct: { bound: 31.6, seen: 38.64 } },
};

/** How a size's workloads ask for racks, and how many of each kind a queue gets. */
interface Size {
  readonly name: string;
  readonly times: Pick<WorkloadClass, 'intervalMs' | 'runtimeMs'>;
  readonly spec: WorkloadClass['spec'];
  readonly required: Asked;
  readonly preferred: Asked;
  readonly balanced: Asked & { readonly slice: number };
}

interface Asked {
  readonly count: number;
  readonly admissionMs: Threshold;
}

const tasSizes: readonly Size[] = [
  {
    name: 'small',
    times: { intervalMs: 100, runtimeMs: 200 },
    spec: { priority: 25, workers: 2, gpuShareMilli: 200 },
    required: { count: 120, admissionMs: { bound: 297_000, seen: 246_755 } },
    preferred: { count: 120, admissionMs: { bound: 296_000, seen: 246_090 } },
    balanced: { count: 110, slice: 1, admissionMs: { bound: 286_000, seen: 237_846 } },
  },
  {
    name: 'medium',
    times: { intervalMs: 500, runtimeMs: 500 },
    spec: { priority: 50, workers: 4, gpuShareMilli: 500 },
    required: { count: 34, admissionMs: { bound: 129_000, seen: 107_071 } },
    preferred: { count: 33, admissionMs: { bound: 128_000, seen: 106_324 } },
    balanced: { count: 33, slice: 2, admissionMs: { bound: 128_000, seen: 106_303 } },
  },
  {
    name: 'large',
    times: { intervalMs: 1_200, runtimeMs: 1_000 },
    spec: { priority: 100, workers: 8 },
    required: { count: 17, admissionMs: { bound: 48_000, seen: 39_625 } },
    preferred: { count: 17, admissionMs: { bound: 48_000, seen: 39_573 } },
    balanced: { count: 16, slice: 4, admissionMs: { bound: 46_000, seen: 37_862 } },
  },
];

function classesOf({ name, times, spec, required, preferred, balanced }: Size): readonly WorkloadClass[] {
  const at = (mode: 'required' | 'preferred'): Partial<JobSpec> => ({ constraints: [{ level: 'rack', mode, waitMs: null }] });
  return [
    { name: `${name}-required-rack`, ...times, ...required, spec: { ...spec, ...at('required') } },
    { name: `${name}-preferred-rack`, ...times, ...preferred, spec: { ...spec, ...at('preferred') } },
    {
      name: `${name}-balanced-rack`,
      ...times,
      count: balanced.count,
      admissionMs: balanced.admissionMs,
      spec: { ...spec, segments: [{ level: 'rack', workers: balanced.slice }] },
    },
  ];
}

/** Quotas of a hundredth of the cluster: what is measured is the cost of looking at 640 nodes. */
const tas: Setup = {
  name: 'tas',
  cohorts: 5,
  queuesPerCohort: 6,
  guaranteed: 8,
  limit: 48,
  nodes: 640,
  nodesPerRack: 64,
  classes: tasSizes.flatMap(classesOf),
  kueue: { workloadsPerSecond: 37.4, makespanMs: { bound: 482_000, seen: 401_472 }, usagePct: { bound: 57, seen: 62.41 } },
};

export const setups: readonly Setup[] = [baseline, largeScale, tas];
