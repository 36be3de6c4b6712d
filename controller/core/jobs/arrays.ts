import type { JobName } from '#vocabulary/ids.ts';
import { jobName, jobUid } from '#vocabulary/ids.ts';
import type { ArrayTask } from '../events.ts';
import type { Request } from '../inputs.ts';
import type { JobRecord, State } from '../state/state.ts';

export type ApplyJob = Extract<Request, { kind: 'applyJob' }>;

/** A job to be applied, alone or as one of an array. */
export interface Application extends ApplyJob {
  readonly task: ArrayTask | null;
}

/** The label by which the jobs of an array are found. */
const arrayLabel = 'shoal.dev/array';

/** What one request asks for: the job itself, or all jobs of its array. The array is no object of its own. */
export function expandArray(request: ApplyJob): readonly Application[] {
  const { name, uid, labels, spec } = request;
  const { array, template } = spec;
  if (array === null) return [{ ...request, task: null }];
  const { count, parallelism } = array;
  return Array.from({ length: count }, (_, index) => ({
    ...request,
    name: memberName(name, index),
    uid: jobUid(`${uid}-${index}`),
    labels: { ...labels, [arrayLabel]: name },
    spec: {
      ...spec,
      array: null,
      template: { ...template, env: { ...template.env, SHOAL_ARRAY_INDEX: String(index), SHOAL_ARRAY_COUNT: String(count) } },
    },
    task: { name, index, count, parallelism },
  }));
}

const memberName = (array: JobName, index: number): JobName => jobName(`${array}-${index}`);

/** Keeps State.arrays: how many jobs of each array hold GPUs. */
export function countArray(state: State, job: JobRecord, sign: 1 | -1): void {
  if (job.array === null) return;
  const count = (state.arrays.get(job.array.name) ?? 0) + sign;
  if (count === 0) state.arrays.delete(job.array.name);
  else state.arrays.set(job.array.name, count);
}
