/** When a job may start, how long it may run, and of how many jobs it is one: these fields of a manifest ↔ the core's. */
import type { JsonObject } from '@bufbuild/protobuf';
import type { Dependency, JobArray, TrainingJobSpec } from '#gen/shoal/v1/training_job_pb.js';
import { jobName, type JobName } from '#vocabulary/ids.ts';
import { dependencyConditions, type DependencySpec, type JobSpec } from '#vocabulary/job.ts';
import { formatTimestamp, parseTimestampMs } from '#vocabulary/timestamp.ts';
import { formatDuration } from '#vocabulary/units.ts';
import { durationMs } from './durationField.ts';
import { itemPath } from './fieldPath.ts';
import { excerpt, type Problems } from './fieldProblem.ts';
import { judgeDistinct } from './judgeDistinct.ts';

export type TimingSpec = Pick<JobSpec, 'after' | 'startAfterMs' | 'deadlineMs' | 'minRuntimeMs' | 'maxRuntimeMs' | 'array'>;

/** Also the longest name of any object. */
const nameCharsMax = 63;

export function compileTiming(name: JobName, spec: TrainingJobSpec, problems: Problems): TimingSpec {
  const startAfterMs = parseTimestampMs(spec.notBefore) ?? null;
  const deadlineMs = parseTimestampMs(spec.deadline) ?? null;
  if (startAfterMs !== null && deadlineMs !== null && deadlineMs <= startAfterMs)
    problems.add('spec.deadline', `${excerpt(spec.deadline)} is not after spec.notBefore ${spec.notBefore}`);
  const maxRuntimeMs = durationMs(spec.maxRuntime, 'spec.maxRuntime', { minMs: 1 }, problems);
  const minRuntimeMs = durationMs(spec.minRuntime, 'spec.minRuntime', { minMs: 0 }, problems) ?? 0;
  if (maxRuntimeMs !== null && minRuntimeMs > maxRuntimeMs)
    problems.add('spec.minRuntime', `${excerpt(spec.minRuntime)} is more than spec.maxRuntime ${spec.maxRuntime}`);
  return {
    after: compileAfter(name, spec.after, problems),
    startAfterMs,
    deadlineMs,
    minRuntimeMs,
    maxRuntimeMs,
    array: spec.array === undefined ? null : compileArray(name, spec.array, problems),
  };
}

function compileAfter(name: JobName, after: readonly Dependency[], problems: Problems): readonly DependencySpec[] {
  const path = 'spec.after';
  judgeDistinct(
    path,
    after.map(({ job }) => job),
    problems,
    (list, index) => `${itemPath(list, index)}.job`,
  );
  return after.map(({ job, condition }, index) => {
    if (job === name) problems.add(`${itemPath(path, index)}.job`, `${excerpt(job)} is this job itself`);
    return { job: jobName(job), condition: dependencyConditions.find((known) => known === condition) ?? 'Succeeded' };
  });
}

function compileArray(name: JobName, { count, parallelism }: JobArray, problems: Problems): JobSpec['array'] {
  const longest = `${name}-${count - 1}`;
  if (longest.length > nameCharsMax)
    problems.add('metadata.name', `the array's last job ${excerpt(longest)} has ${longest.length} characters; allowed: ${nameCharsMax}`);
  return { count, parallelism: parallelism ?? null };
}

/** As a manifest would have it; what is not asked for is left out. */
export function timingToJson(spec: TimingSpec): JsonObject {
  const { after, startAfterMs, deadlineMs, minRuntimeMs, maxRuntimeMs, array } = spec;
  return {
    ...(maxRuntimeMs === null ? {} : { maxRuntime: formatDuration(maxRuntimeMs) }),
    ...(after.length === 0 ? {} : { after: after.map(({ job, condition }) => ({ job, condition })) }),
    ...(startAfterMs === null ? {} : { notBefore: formatTimestamp(startAfterMs) }),
    ...(deadlineMs === null ? {} : { deadline: formatTimestamp(deadlineMs) }),
    ...(minRuntimeMs === 0 ? {} : { minRuntime: formatDuration(minRuntimeMs) }),
    ...(array === null ? {} : { array: { count: array.count, ...(array.parallelism === null ? {} : { parallelism: array.parallelism }) } }),
  };
}
