import { itemPath } from '#codec/fieldPath.ts';
import type { CompiledManifest } from '#codec/manifest.ts';
import { describeSizes, isAllowedSize } from '#vocabulary/elastic.ts';
import { jobName, nodeName, userName, type NodeName } from '#vocabulary/ids.ts';
import { describeUnknown, readFields, type Fields } from '#codec/fields.ts';
import { parseFault } from './parseFault.ts';
import { compileApplied, parseProgram } from './parseProgram.ts';
import type { Deed, Entry, JobPlan } from './scenario.ts';
import type { TimelineContext } from './known.ts';

const deeds = ['apply', 'fault', 'do', 'load'];

/** Sorted by time; entries of one time stay in file order. */
export function parseTimeline(scenario: Fields, context: TimelineContext): readonly Entry[] {
  const entries = scenario.list('timeline').flatMap((value, index) => {
    const path = itemPath(scenario.at('timeline'), index);
    const fields = readFields(value, path, ['at', 'user', 'run', 'place', ...deeds], scenario.problems);
    if (fields === null) return [];
    const entry = parseEntry(fields, index, context);
    return entry === null ? [] : [entry];
  });
  return entries.sort((left, right) => left.atMs - right.atMs || left.index - right.index);
}

function parseEntry(fields: Fields, index: number, context: TimelineContext): Entry | null {
  fields.require('at');
  const atMs = fields.durationMs('at');
  const user = userName(fields.text('user') ?? 'operator');
  const given = deeds.filter((name) => fields.has(name));
  const [deed] = given;
  if (deed === undefined || given.length > 1) {
    fields.problems.add(
      fields.path,
      `has ${given.length === 0 ? 'nothing to do' : given.join(' and ')}; allowed: one of ${deeds.join(', ')}`,
    );
    return null;
  }
  for (const name of ['run', 'place']) {
    if (deed !== 'apply' && fields.has(name)) fields.problems.add(fields.at(name), `belongs to apply, and this entry has ${deed}`);
  }
  const parsed = parseDeed(fields, deed, context);
  return parsed === null || atMs === null ? null : { atMs, index, user, deed: parsed };
}

function parseDeed(fields: Fields, deed: string, context: TimelineContext): Deed | null {
  switch (deed) {
    case 'apply':
      return parseApply(fields, context);
    case 'fault': {
      const fault = parseFault(fields, context);
      return fault === null ? null : { kind: 'fault', fault };
    }
    case 'do':
      return parseVerb(fields, context);
    default:
      fields.problems.add(fields.at('load'), 'services are not served yet by this version, so there is nothing to load; leave it out');
      return null;
  }
}

function parseApply(fields: Fields, context: TimelineContext): Deed | null {
  const program = parseProgram(fields);
  const compiled = compileApplied(fields, fields.raw('apply'), fields.at('apply'), program);
  const place = parsePlace(fields, context);
  if (compiled === null) return null;
  if (compiled.kind === 'Queue') {
    refuseProgram(fields, compiled.kind);
    context.known.checkQueueParent(fields, compiled.spec.parent);
    return { kind: 'applyQueue', name: compiled.name, labels: compiled.labels, spec: compiled.spec };
  }
  if (compiled.kind === 'Reservation') {
    refuseProgram(fields, compiled.kind);
    return { kind: 'applyReservation', name: compiled.name, labels: compiled.labels, spec: compiled.spec };
  }
  context.known.checkJob(fields, compiled.spec);
  if (place !== null) {
    const placed = [...place.values()].reduce((sum, count) => sum + count, 0);
    if (!isAllowedSize(compiled.spec, placed))
      fields.problems.add(fields.at('place'), `places ${placed} workers; allowed: ${describeSizes(compiled.spec)}, all of the job's`);
  }
  return { kind: 'applyJob', ...jobPlanOf(compiled), program: { ...program, workers: compiled.spec.workers }, place };
}

function refuseProgram(fields: Fields, kind: string): void {
  for (const name of ['run', 'place'])
    if (fields.has(name)) fields.problems.add(fields.at(name), `belongs to a TrainingJob, not to a ${kind}`);
}

function jobPlanOf({ name, labels, annotations, spec }: Extract<CompiledManifest, { kind: 'TrainingJob'; ok: true }>): JobPlan {
  return { name, labels, annotations, spec };
}

function parsePlace(fields: Fields, { nodes }: TimelineContext): ReadonlyMap<NodeName, number> | null {
  if (!fields.has('place')) return null;
  const names = nodes.map(({ name }) => name);
  const place = fields.fields('place', names);
  if (place === null) return null;
  return new Map(
    place.names().flatMap((name): readonly [NodeName, number][] => {
      const workers = place.wholeNumber(name, { min: 1, max: 1024 });
      return workers === null ? [] : [[nodeName(name), workers]];
    }),
  );
}

const nodeVerbs = ['cordon', 'uncordon', 'drain'] as const;
const jobVerbs = ['delete', 'suspend', 'resume'] as const;
const verbs = [...nodeVerbs, ...jobVerbs, 'scale', 'plan', 'priority'] as const;

function parseVerb(entry: Fields, context: TimelineContext): Deed | null {
  const fields = entry.fields('do', ['verb', 'target', 'units', 'workers', 'manifest', 'value']);
  if (fields?.require('verb') !== true) return null;
  const verb = fields.choice('verb', verbs);
  if (verb === null) return null;
  const own = { plan: ['manifest'], priority: ['target', 'value'], scale: ['target', 'units', 'workers'] }[String(verb)] ?? ['target'];
  for (const name of fields.names())
    if (name !== 'verb' && !own.includes(name))
      fields.problems.add(fields.at(name), `does not belong to ${verb}; it takes ${own.join(', ')}`);
  if (verb === 'scale') return refuseScale(fields);
  if (verb === 'plan') return parsePlan(fields);
  if (!fields.require('target')) return null;
  const nodeVerb = nodeVerbs.find((each) => each === verb);
  if (nodeVerb !== undefined) {
    const node = parseTarget(
      fields,
      'node',
      context.nodes.map(({ name }) => name),
    );
    return node === null ? null : { kind: nodeVerb, node: nodeName(node) };
  }
  const job = parseTarget(fields, 'job', [...context.known.jobs]);
  const jobVerb = jobVerbs.find((each) => each === verb);
  if (jobVerb !== undefined) return job === null ? null : { kind: jobVerb, job: jobName(job) };
  fields.require('value');
  const value = fields.wholeNumber('value', { min: 0, max: 100 });
  return job === null || value === null ? null : { kind: 'priority', job: jobName(job), value };
}

function refuseScale(fields: Fields): null {
  fields.problems.add(
    fields.at('verb'),
    '"scale" is not served yet by this version: services come later, and of an elastic job the scheduler chooses the size',
  );
  return null;
}

function parsePlan(fields: Fields): Deed | null {
  if (!fields.require('manifest')) return null;
  const program = parseProgram(null);
  const compiled = compileApplied(fields, fields.raw('manifest'), fields.at('manifest'), program);
  if (compiled === null) return null;
  if (compiled.kind === 'TrainingJob') return { kind: 'plan', job: jobPlanOf(compiled) };
  fields.problems.add(fields.at('manifest'), `is a ${compiled.kind}; allowed: a TrainingJob`);
  return null;
}

/** `node/n1` → n1 */
function parseTarget(fields: Fields, kind: 'node' | 'job', names: readonly string[]): string | null {
  const text = fields.text('target');
  if (text === null) return null;
  const [, prefix, name] = /^([a-z]+)\/(.+)$/.exec(text) ?? [];
  if (prefix !== kind || name === undefined) return fields.refuse('target', `${kind}/NAME`);
  if (names.includes(name)) return name;
  fields.problems.add(fields.at('target'), `${kind} ${describeUnknown(name, names)}`);
  return null;
}
