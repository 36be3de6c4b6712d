import type { JobSpec } from '#vocabulary/job.ts';
import type { JobEvent } from '../events.ts';
import type { Reply } from '../inputs.ts';
import type { JobView } from '../state/view.ts';
import type { Turn } from '../turn.ts';
import { dropNomination } from './stop.ts';
import type { Application, ApplyJob } from './arrays.ts';
import { expandArray } from './arrays.ts';
import { findJob } from './jobReplies.ts';
import { judgeCircle, judgeSpec } from './judgeSpec.ts';
import type { SpecProblem } from './specProblem.ts';

type Refused = Extract<Reply, { kind: 'refused' }>;
type Applied = Extract<Reply, { kind: 'applied' }>;

/** What applying one job comes to, before anything is done. */
type Verdict =
  | Refused
  | { readonly kind: 'accepted'; readonly outcome: Applied['outcome']; readonly uid: string; readonly event: JobEvent | null };
type Accepted = Extract<Verdict, { kind: 'accepted' }>;

/** Creates a job or all jobs of an array, or changes what of them may change; all or none. Applying the same again changes nothing. */
export function onApplyJob(turn: Turn, request: ApplyJob): Reply {
  if (request.spec.array === null) return applyOne(turn, { ...request, task: null });
  const accepted: Accepted[] = [];
  for (const application of expandArray(request)) {
    const verdict = judgeApplication(turn, application, accepted.length === 0);
    if (verdict.kind === 'refused') return verdict;
    accepted.push(verdict);
  }
  const full = judgeRoom(turn, accepted.filter(({ outcome }) => outcome === 'created').length);
  if (full !== null) return full;
  for (const { event } of accepted) if (event !== null) emitChange(turn, event);
  const outcome = (['created', 'configured'] as const).find((one) => accepted.some((verdict) => verdict.outcome === one)) ?? 'unchanged';
  // An array is no object: its answer has the uid that those of its jobs begin with.
  return { kind: 'applied', outcome, uid: request.uid };
}

function applyOne(turn: Turn, application: Application): Reply {
  const verdict = judgeApplication(turn, application, true);
  if (verdict.kind === 'refused') return verdict;
  const full = verdict.outcome === 'created' ? judgeRoom(turn, 1) : null;
  if (full !== null) return full;
  if (verdict.event !== null) emitChange(turn, verdict.event);
  return { kind: 'applied', outcome: verdict.outcome, uid: verdict.uid };
}

/** What was promised to a gang is of no use to another one. */
function emitChange(turn: Turn, event: JobEvent): void {
  const old = event.kind === 'JobChanged' ? turn.state.jobs.get(event.uid) : undefined;
  if (event.kind === 'JobChanged' && old !== undefined && changedField(old.spec, event.spec) !== null)
    dropNomination(turn, old, 'it was changed');
  turn.emit(event);
}

function judgeRoom({ state, context }: Turn, created: number): Refused | null {
  const { jobsMax } = context.policy;
  if (created === 0 || state.jobs.size + created <= jobsMax) return null;
  const message = `the cluster keeps at most ${jobsMax} jobs; delete finished ones`;
  return { kind: 'refused', code: 'RESOURCE_EXHAUSTED', field: '', message };
}

/** `isFirst`: the jobs of an array differ in name and environment only, so that one of them stands for the spec of all. */
function judgeApplication(turn: Turn, application: Application, isFirst: boolean): Verdict {
  const { name, user, labels, annotations, spec, task } = application;
  const old = findJob(turn.state, name);
  // Another gang is judged like a new one.
  const before = old === undefined || changedField(old.spec, spec) !== null ? null : old.spec;
  const wrong = (isFirst ? judgeSpec(turn, spec, before) : null) ?? judgeCircle(turn, name, spec);
  if (wrong !== null) return refuse('INVALID_ARGUMENT', wrong);
  if (old === undefined) {
    const created: JobEvent = { kind: 'JobCreated', uid: application.uid, name, user, labels, annotations, spec };
    return { kind: 'accepted', outcome: 'created', uid: application.uid, event: task === null ? created : { ...created, array: task } };
  }
  const taken = judgeTaken(old, application);
  if (taken !== null) return refuse('ALREADY_EXISTS', taken);
  const isSame =
    sameSpec(old.spec, spec) && same(old.labels, labels) && same(old.annotations, annotations) && (task === null || same(old.array, task));
  if (isSame) return { kind: 'accepted', outcome: 'unchanged', uid: old.uid, event: null };
  const event: JobEvent = { kind: 'JobChanged', uid: old.uid, labels, annotations, spec, ...(task === null ? {} : { array: task }) };
  return { kind: 'accepted', outcome: 'configured', uid: old.uid, event };
}

function refuse(code: Refused['code'], { field, message }: SpecProblem): Refused {
  return { kind: 'refused', code, field, message };
}

/** Fields of a spec that stay as they were from the first placement on, with the paths that users know them by. */
const fixedFields: readonly (readonly [field: keyof JobSpec, path: string])[] = [
  ['queue', 'queue'],
  ['gpuModels', 'gpuModel'],
  ['workers', 'workers'],
  ['gpusPerWorker', 'gpusPerWorker'],
  ['gpuShareMilli', 'gpuShare'],
  ['gpuProfile', 'gpuProfile'],
  ['processesPerWorker', 'processesPerWorker'],
  ['axisOrder', 'placement.axisOrder'],
  ['mesh', 'mesh'],
  ['elastic', 'elastic'],
  ['traffic', 'traffic'],
  ['segments', 'placement.segments'],
  ['spread', 'placement.spread'],
  ['exclusive', 'placement.exclusive'],
  ['nodeSelector', 'placement.nodeSelector'],
  ['packing', 'placement.packing'],
  ['checkpoint', 'checkpoint'],
  ['template', 'template'],
];
const changeable = 'priority, preemptible, restarts, spares, after, avoidNodes, notBefore, deadline, minRuntime and maxRuntime can';

function judgeTaken(old: JobView, { name, spec, task }: Application): SpecProblem | null {
  if (task !== null && old.array?.name !== task.name)
    return { field: 'metadata.name', message: `job ${name} exists and is not of array ${task.name}; delete it first or take another name` };
  if (task !== null && old.array?.count !== task.count)
    return {
      field: 'spec.array.count',
      message: `array ${task.name} has ${old.array?.count} jobs and their number cannot change; take another name`,
    };
  // As long as it has stood nowhere it may become another gang, and keeps its age.
  const path = old.attempts.length === 0 ? null : changedField(old.spec, spec);
  if (path === null) return null;
  return {
    field: `spec.${path}`,
    message: `job ${name} has been placed and its ${path} cannot change any more (${changeable}); delete it first or take another name`,
  };
}

/** Of the fields that are fixed once the job was placed the first that is another one; null: none is. */
function changedField(old: JobView['spec'], wanted: JobSpec): string | null {
  if (!sameLevels(old, wanted)) return 'placement.constraints';
  return fixedFields.find(([field]) => !same(old[field], wanted[field]))?.[1] ?? null;
}

/** How long a preferred level is waited for may change. */
function sameLevels(old: JobView['spec'], wanted: JobSpec): boolean {
  const levels = ({ constraints }: Pick<JobSpec, 'constraints'>): unknown => constraints.map(({ level, mode }) => [level, mode]);
  return same(levels(old), levels(wanted));
}

/** Field by field: a spec that came from an older log has them in another order. */
function sameSpec(old: JobView['spec'], wanted: JobSpec): boolean {
  const left: Readonly<Record<string, unknown>> = { ...old };
  return Object.entries(wanted).every(([field, value]) => same(left[field], value));
}

/** Values are plain JSON made by one compiler, so equal ones print the same. */
const same = (left: unknown, right: unknown): boolean => JSON.stringify(left) === JSON.stringify(right);
