/**
 * A trace of jobs against a policy, in whole seconds of virtual time. At one instant: nodes come back; jobs end or cross a
 * level of service, in the order of (time, row); nodes fail; jobs arrive, in the order of rows; then one scheduling pass.
 */
import { assert } from '#vocabulary/assert.ts';
import type { ClusterShape } from './gpuPool.ts';
import { NodeFailures, type FailurePlan } from './nodeFailures.ts';
import type { Policy, PolicyRun } from './policies/policy.ts';
import { replayJobs, type ReplayJob, type TraceJob } from './replayJob.ts';
import { UsageMeter } from './usageMeter.ts';
import { VirtualCluster } from './virtualCluster.ts';

export interface ReplayInput {
  /** At least one; none larger than the cluster. */
  readonly trace: readonly TraceJob[];
  readonly shape: ClusterShape;
  readonly policy: Policy;
  /** Multiplies what a preemption costs. */
  readonly overheadFactor: number;
  /** Absent: nothing fails. */
  readonly failurePlan?: FailurePlan;
}

export interface ReplayResult {
  readonly shape: ClusterShape;
  /** All of them done, in the order of submission. */
  readonly jobs: readonly Readonly<ReplayJob>[];
  readonly usage: ReturnType<UsageMeter['shares']>;
  /** GPU-seconds of nodes that were away. */
  readonly downGpuS: number;
  readonly starts: number;
  readonly preemptions: number;
}

const noFailures: FailurePlan = { failures: [], checkpointEveryS: 1 };

export function replay({ trace, shape, policy, overheadFactor, failurePlan = noFailures }: ReplayInput): ReplayResult {
  const jobs = replayJobs(trace);
  const [firstJob, lastJob] = [jobs[0], jobs.at(-1)];
  assert(firstJob !== undefined && lastJob !== undefined, 'a trace has jobs');
  const cluster = new VirtualCluster(jobs, { shape, overheadFactor, levelsGpuS: policy.levelsGpuS ?? [] });
  const run = policy.begin(cluster);
  const meter = new UsageMeter({ firstSubmitS: firstJob.submitS, lastSubmitS: lastJob.submitS });
  const failures = new NodeFailures(failurePlan);
  let arrived = 0;
  let done = 0;
  while (done < jobs.length) {
    const nextS = Math.max(Math.min(cluster.nextPassS, jobs[arrived]?.submitS ?? Infinity, failures.nextS), firstJob.submitS);
    assert(nextS < Infinity, 'a job that fits the cluster is started in the end');
    const { idleGpus, downGpus, totalGpus } = cluster.pool;
    meter.advance(nextS, { busyGpus: totalGpus - idleGpus - downGpus, idleGpus, downGpus, headGpus: run.head()?.gpus });
    cluster.advance(nextS);
    failures.repair(cluster);
    done += finishDue(cluster, run);
    for (const job of failures.strike(cluster)) run.interrupted(job);
    arrived += admit(jobs, arrived, cluster, run);
    run.pass();
  }
  const { starts, preemptions } = cluster;
  return { shape, jobs, usage: meter.shares(cluster.pool.totalGpus), downGpuS: meter.downGpuS, starts, preemptions };
}

/** Returns how many are done. */
function finishDue(cluster: VirtualCluster, run: PolicyRun): number {
  let done = 0;
  for (let job = cluster.takeDue(); job !== undefined; job = cluster.takeDue()) {
    if (job.state !== 'done') continue;
    assert(job.heldS === job.durationS + job.overheadS, 'a job holds GPUs for exactly what it needs');
    run.finish(job);
    done += 1;
  }
  return done;
}

/** Returns how many arrive now. */
function admit(jobs: readonly ReplayJob[], from: number, cluster: VirtualCluster, run: PolicyRun): number {
  let at = from;
  for (let job = jobs[at]; job !== undefined && job.submitS <= cluster.nowS; job = jobs[at]) {
    job.state = 'waiting';
    run.arrive(job);
    at += 1;
  }
  return at - from;
}
