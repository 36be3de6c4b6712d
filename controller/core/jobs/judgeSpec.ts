import type { JobName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import { formatTimestamp } from '#vocabulary/timestamp.ts';
import { suggest } from '../suggest.ts';
import type { Levels } from '#vocabulary/topology.ts';
import type { Turn } from '../turn.ts';
import { findCircle } from './dependencies.ts';
import { judgeFit } from './judgeFit.ts';
import { judgeSegments } from './judgeSegments.ts';
import { atLeast } from './size.ts';
import type { SpecProblem } from './specProblem.ts';

/** What only this cluster can say of a job's spec. `old`: of the job as it exists; what has not changed is not judged again. */
export function judgeSpec(turn: Turn, spec: JobSpec, old: JobSpec | null): SpecProblem | null {
  const { state, context } = turn;
  const { levels } = context.policy;
  const problem = judgeQueue(turn, spec) ?? judgeLevels(spec, levels) ?? judgeSegments(spec.segments, spec.workers, levels);
  if (problem !== null) return problem;
  if (spec.deadlineMs !== null && spec.deadlineMs !== old?.deadlineMs && spec.deadlineMs <= context.nowMs)
    return { field: 'spec.deadline', message: `${formatTimestamp(spec.deadlineMs)} has passed` };
  return old === null ? judgeFit(state, levels, atLeast({ spec }).spec) : null;
}

/** Jobs that wait for each other would wait for ever. */
export function judgeCircle(turn: Turn, name: JobName, spec: JobSpec): SpecProblem | null {
  const circle = findCircle(turn.state, name, spec.after);
  if (circle === null) return null;
  const first = spec.after.findIndex(({ job }) => job === circle[1]);
  return { field: `spec.after[${first}].job`, message: `jobs that wait for each other: ${circle.join(' after ')}` };
}

function judgeQueue({ state: { queues } }: Turn, { queue }: JobSpec): SpecProblem | null {
  if (queues.has(queue)) return null;
  const some = [...queues.keys()].sort().slice(0, 10).join(', ');
  return { field: 'spec.queue', message: `queue "${queue}" does not exist${suggest(queue, queues.keys())} (queues: ${some})` };
}

function judgeLevels({ constraints, segments, spread, exclusive }: JobSpec, levels: Levels): SpecProblem | null {
  if (constraints.length === 0 && segments.length === 0 && spread === null && exclusive === null) return null;
  const named: readonly (readonly [field: string, level: string])[] = [
    ...constraints.map(({ level }, index) => [`constraints[${index}].level`, level] as const),
    ...segments.map(({ level }, index) => [`segments[${index}].level`, level] as const),
    ...(spread === null ? [] : [['spread.level', spread.level] as const]),
    ...(exclusive === null ? [] : [['exclusive', exclusive] as const]),
  ];
  const unknown = named.find(([, level]) => !levels.includes(level));
  if (unknown === undefined) return null;
  const [field, level] = unknown;
  return { field: `spec.placement.${field}`, message: `level "${level}" is not one of this cluster's: ${levels.join(', ')}` };
}
