/** Text of a scenario file → a checked scenario, or every problem with its place in the file. Nothing runs before all of it is right. */
import { itemPath } from '#codec/fieldPath.ts';
import { describeProblem, excerpt, Problems } from '#codec/fieldProblem.ts';
import { compileManifest } from '#codec/manifest.ts';
import { describeTextProblem, parseManifests } from '#codec/manifestYaml.ts';
import { parseCluster } from './parseCluster.ts';
import { readFields, type Fields } from '#codec/fields.ts';
import { Known } from './known.ts';
import { parsePolicy } from './parsePolicy.ts';
import { parseTimeline } from './parseTimeline.ts';
import { parseAnnotations } from './parseTrouble.ts';
import type { QueuePlan, Scenario } from './scenario.ts';

export type ParsedScenario =
  /** `place` tells where a field stands, for what turns out wrong only when it runs: `file.yaml:3:5`. */
  | { readonly ok: true; readonly scenario: Scenario; readonly place: (field: string) => string }
  /** `file:line:column: field: what is wrong`, one each. */
  | { readonly ok: false; readonly problems: readonly string[] };

const topFields = ['apiVersion', 'kind', 'metadata', 'seed', 'cluster', 'queues', 'policy', 'timeline', 'until'];

export function parseScenario(text: string, file: string): ParsedScenario {
  const parsed = parseManifests(text, file);
  if (!parsed.ok) return { ok: false, problems: parsed.problems.map(describeTextProblem) };
  const [document, second] = parsed.documents;
  if (document === undefined) return { ok: false, problems: [`${file}:1:1: holds no scenario`] };
  if (second !== undefined)
    return {
      ok: false,
      problems: [`${file}:${second.start.line}:${second.start.column}: a second document; allowed: one scenario a file`],
    };
  const problems = new Problems();
  const scenario = compile(document.json, problems);
  const place = (field: string): string => {
    const { line, column } = document.locate(field);
    return `${file}:${line}:${column}`;
  };
  if (scenario !== null && problems.found.length === 0) return { ok: true, scenario, place };
  return { ok: false, problems: problems.found.map((problem) => `${place(problem.field)}: ${describeProblem(problem)}`) };
}

function compile(json: unknown, problems: Problems): Scenario | null {
  const fields = readFields(json, '', topFields, problems);
  if (fields?.require('apiVersion', 'kind', 'metadata', 'cluster') !== true) return null;
  fields.choice('apiVersion', ['shoal.dev/v1']);
  fields.choice('kind', ['Scenario']);
  const metadata = fields.fields('metadata', ['name', 'labels', 'annotations']);
  metadata?.require('name');
  const clusterFields = fields.fields('cluster', ['levels', 'nodes', 'pools', 'nvlink', 'timings', 'failures']);
  if (clusterFields === null) return null;
  const cluster = parseCluster(clusterFields);
  const queues = parseQueues(fields);
  const known = new Known(
    fields,
    cluster.levels,
    queues.map(({ name }) => name),
  );
  const timeline = parseTimeline(fields, { nodes: cluster.nodes, known });
  if (cluster.failures !== null && !fields.has('until')) refuseEndless(timeline, fields);
  return {
    name: metadata?.name('name') ?? '',
    seed: fields.wholeNumber('seed', { min: 0 }) ?? 0,
    ...cluster,
    queues: parentsFirst(queues, fields),
    policy: parsePolicy(fields.raw('policy') ?? undefined, fields.at('policy'), cluster.levels, problems),
    timeline,
    untilMs: fields.durationMs('until'),
    ...parseAnnotations(metadata, { nodes: cluster.nodes, known }),
  };
}

/** Faults strike for ever, and so would it run. */
function refuseEndless(timeline: Scenario['timeline'], fields: Fields): void {
  for (const { deed, index } of timeline) {
    if (deed.kind === 'applyJob' && deed.program.workMs === null && deed.program.exit === null && deed.spec.maxRuntimeMs === null)
      fields.problems.add('until', `is missing: timeline[${index}] has no run.work and failures never end, so neither would the scenario`);
  }
}

/** Each is the spec of a Queue with its name beside; checked by the codec of the API. */
function parseQueues(scenario: Fields): readonly QueuePlan[] {
  // A single queue without limits.
  const given = scenario.has('queues') ? scenario.list('queues') : [{ name: 'default' }];
  return given.flatMap((value, index) => {
    const path = itemPath(scenario.at('queues'), index);
    const fields = readFields(value, path, null, scenario.problems);
    if (fields?.require('name') !== true) return [];
    const name = fields.name('name');
    if (name === null) return [];
    const spec = Object.fromEntries(fields.names().flatMap((key) => (key === 'name' ? [] : [[key, fields.raw(key)]])));
    const compiled = compileManifest({ apiVersion: 'shoal.dev/v1', kind: 'Queue', metadata: { name }, spec });
    if (compiled.ok) return compiled.kind === 'Queue' ? [{ name: compiled.name, labels: compiled.labels, spec: compiled.spec }] : [];
    for (const { field, message } of compiled.problems) scenario.problems.add(`${path}${field.replace(/^spec(?=[.[]|$)/, '')}`, message);
    return [];
  });
}

/** The core takes a child only when its parent is there; a file may name them in any order. */
function parentsFirst(queues: readonly QueuePlan[], scenario: Fields): readonly QueuePlan[] {
  const ordered: QueuePlan[] = [];
  let rest = queues;
  while (rest.length > 0) {
    const ready = rest.filter(({ spec }) => spec.parent === null || ordered.some(({ name }) => name === spec.parent));
    if (ready.length === 0) {
      const [stuck] = rest;
      const at = queues.findIndex((queue) => queue === stuck);
      scenario.problems.add(
        `${itemPath(scenario.at('queues'), at)}.parent`,
        `${excerpt(stuck?.spec.parent)} is no queue of this file, or is below it`,
      );
      return ordered;
    }
    const first = ready.filter((queue) => !ordered.some(({ name }) => name === queue.name));
    if (first.length < ready.length) scenario.problems.add(scenario.at('queues'), 'a queue is given twice');
    ordered.push(...first);
    rest = rest.filter((queue) => !ready.includes(queue));
  }
  return ordered;
}
