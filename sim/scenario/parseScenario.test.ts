import { expect, test } from 'vitest';
import { job, scenarioText } from '../testing/playText.ts';
import { parseScenario } from './parseScenario.ts';

function problemsOf(text: string): readonly string[] {
  const parsed = parseScenario(text, 'bad.yaml');
  return parsed.ok ? [] : parsed.problems;
}

function parse(text: string) {
  const parsed = parseScenario(text, 'good.yaml');
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  return parsed.scenario;
}

const withCluster = (cluster: string): string =>
  `apiVersion: shoal.dev/v1\nkind: Scenario\nmetadata: {name: x}\ncluster: ${cluster}\ntimeline: []\n`;

const fault = (text: string): string => scenarioText({ timeline: [job('a'), `{at: 1m, fault: {${text}}}`] });
const deed = (text: string): string => scenarioText({ timeline: [job('a'), `{at: 1m, do: {${text}}}`] });

const bad: readonly (readonly [string, string, string])[] = [
  [
    'a field that is not known',
    scenarioText({ timeline: [], rest: 'sed: 7' }),
    'sed: field "sed" is not known; did you mean "seed"? allowed: apiVersion',
  ],
  ['no cluster', 'apiVersion: shoal.dev/v1\nkind: Scenario\nmetadata: {name: x}\n', 'cluster: is missing'],
  ['another kind', scenarioText({ timeline: [] }).replace('Scenario', 'Senario'), 'kind: "Senario" is not known; did you mean "Scenario"?'],
  ['no nodes', withCluster('{nodes: []}'), 'cluster: has no nodes'],
  ['a node twice', withCluster('{nodes: [{name: a, path: [z,b,r]}, {name: a, path: [z,b,r]}]}'), 'cluster: node "a" is there twice'],
  [
    'a path of another depth',
    withCluster('{nodes: [{name: a, path: [z1]}]}'),
    'cluster.nodes[0].path: ["z1"] has 1 domains; allowed: 3, one for each of zone, block, rack',
  ],
  [
    'a level of a shape that is not there',
    withCluster('{pools: [{name: a, count: 2, shape: {rak: 2}}]}'),
    'cluster.pools[0].shape.rak: field "rak" is not known; did you mean "rack"?',
  ],
  [
    'a timing that is no duration',
    withCluster('{pools: [{name: a, count: 2}], timings: {launch: fast}}'),
    'cluster.timings.launch: "fast" is not allowed; allowed: a duration',
  ],
  [
    'a mix that is not there',
    withCluster('{pools: [{name: a, count: 2}], failures: {perThousandNodeDays: 1, mix: lama3}}'),
    'cluster.failures.mix: "lama3" is not known; did you mean "llama3"?',
  ],
  [
    'a setting that is not there',
    scenarioText({ timeline: [], rest: 'policy: {failureGrace: 1s}' }),
    'policy.failureGrace: field "failureGrace" is not known; did you mean "failureGraceMs"?',
  ],
  [
    'a setting of another kind',
    scenarioText({ timeline: [], rest: 'policy: {failureGraceMs: [1]}' }),
    'policy.failureGraceMs: [1] is not allowed; allowed: a number from 0, or a duration',
  ],
  [
    'a bandwidth of nothing',
    scenarioText({ timeline: [], rest: 'policy: {bandwidths: {rack: 0}}' }),
    'policy.bandwidths.rack: 0 is not allowed; allowed: a number above 0',
  ],
  [
    'a queue with a field that is not there',
    scenarioText({ timeline: [], rest: 'queues: [{name: q, limt: {H100: 1}}]' }),
    'queues[0].limt',
  ],
  [
    'a queue below none',
    scenarioText({ timeline: [], rest: 'queues: [{name: q, parent: p}]' }),
    'queues[0].parent: "p" is no queue of this file',
  ],
  ['an entry without a time', scenarioText({ timeline: ['{do: {verb: cordon, target: node/n1}}'] }), 'timeline[0].at: is missing'],
  [
    'an entry that does nothing',
    scenarioText({ timeline: ['{at: 1m}'] }),
    'timeline[0]: has nothing to do; allowed: one of apply, fault, do, load',
  ],
  [
    'an entry that does two things',
    scenarioText({ timeline: ['{at: 1m, do: {verb: cordon, target: node/n1}, fault: {node: n1, kind: xid, code: 79}}'] }),
    'timeline[0]: has fault and do',
  ],
  [
    'run without apply',
    deed('verb: cordon, target: node/n1').replace('do: {', 'run: {work: 1m}, do: {'),
    'timeline[1].run: belongs to apply',
  ],
  [
    'a manifest that the codec refuses',
    scenarioText({ timeline: [job('a', { spec: 'gpusPerWorkr: 1' })] }),
    'timeline[0].apply.spec.gpusPerWorkr',
  ],
  [
    'a kind that is not served',
    scenarioText({
      timeline: ['{at: 0s, apply: {apiVersion: shoal.dev/v1, kind: PriceBook, metadata: {name: p}, spec: {currency: USD}}}'],
    }),
    'timeline[0].apply.kind: PriceBook is not served yet',
  ],
  [
    'a queue that is not there',
    scenarioText({ timeline: [job('a', { spec: 'queue: defalt' })] }),
    'timeline[0].apply.spec.queue: queue "defalt" is not known; did you mean "default"?',
  ],
  [
    'a program with a field that is not there',
    scenarioText({ timeline: [job('a', { run: 'wrk: 1m' })] }),
    'timeline[0].run.wrk: field "wrk" is not known; did you mean "work"?',
  ],
  [
    'a program that does what nobody knows',
    scenarioText({ timeline: [job('a', { run: 'onSuspend: sav' })] }),
    'timeline[0].run.onSuspend: "sav" is not known; did you mean "save"? allowed: save, ignore, exit',
  ],
  [
    'too few places',
    scenarioText({ timeline: [job('a', { spec: 'workers: 2', more: 'place: {n1: 1}' })] }),
    'timeline[0].place: places 1 workers; allowed: 2',
  ],
  [
    'a place that is not there',
    scenarioText({ timeline: [job('a', { more: 'place: {n9: 1}' })] }),
    'timeline[0].place.n9: field "n9" is not known',
  ],
  [
    'load',
    scenarioText({ timeline: ['{at: 0s, load: {service: a, requestsPerSecond: 1}}'] }),
    'timeline[0].load: services are not served yet',
  ],
  ['a fault of another kind', fault('node: n1, kind: xd'), 'timeline[1].fault.kind: "xd" is not known; did you mean "xid"?'],
  ['a fault without a place', fault('kind: node-down'), 'timeline[1].fault: needs one of node'],
  [
    'a fault of a node that is not there',
    fault('node: n3, kind: node-down'),
    'timeline[1].fault.node: node "n3" is not known; did you mean "n1"?',
  ],
  ['a domain without nodes', fault('domain: [z1, b2], kind: node-down'), 'timeline[1].fault.domain: ["z1","b2"] holds no node'],
  [
    'a GPU that is not there',
    fault('node: n1, kind: gpu-lost, gpu: 4'),
    'timeline[1].fault.gpu: 4 is not allowed; allowed: a number from 0 to 3',
  ],
  ['an Xid without a code', fault('node: n1, kind: xid'), 'timeline[1].fault.code: is missing'],
  [
    'a field of another fault',
    fault('node: n1, kind: node-down, factor: 2'),
    'timeline[1].fault.factor: does not belong to node-down; it takes node, domain, for',
  ],
  ['a job that is not there', fault('kind: hang, job: b'), 'timeline[1].fault.job: job "b" is not known; did you mean "a"?'],
  ['a verb that is not there', deed('verb: cordn, target: node/n1'), 'timeline[1].do.verb: "cordn" is not known; did you mean "cordon"?'],
  ['a target of another kind', deed('verb: cordon, target: job/a'), 'timeline[1].do.target: "job/a" is not allowed; allowed: node/NAME'],
  ['a target that is not there', deed('verb: suspend, target: job/b'), 'timeline[1].do.target: job "b" is not known'],
  ['scale', deed('verb: scale, target: job/a, workers: 2'), 'timeline[1].do.verb: "scale" is not served yet'],
  [
    'faults for ever and a job for ever',
    scenarioText({ timeline: [job('a')], cluster: 'failures: {perThousandNodeDays: 1}' }),
    'until: is missing',
  ],
];

test.each(bad)('%s is refused by name, value and what is allowed', (_what, text, want) => {
  expect(problemsOf(text)).toEqual(expect.arrayContaining([expect.stringContaining(want)]));
});

test('a problem says where it stands in the file', () => {
  const text = scenarioText({ timeline: [job('a'), '{at: 1x, do: {verb: cordon, target: node/n1}}'] });
  expect(problemsOf(text)).toEqual([
    'bad.yaml:10:6: timeline[1].at: "1x" is not allowed; allowed: a duration such as 30s, 5m, 1h30m or 7d',
  ]);
});

test('all problems of a file are told at once', () => {
  expect(problemsOf(scenarioText({ timeline: [job('a', { run: 'wrk: 1m' }), '{at: 1x}'], rest: 'sed: 1' }))).toHaveLength(4);
});

test('nodes of a pool are spread evenly over the innermost domains, in path order', () => {
  const { nodes } = parse(withCluster('{pools: [{name: h, count: 5, model: H800, shape: {zone: 1, block: 2, rack: 2}}]}'));
  expect(nodes.map(({ name, path }) => `${name} ${path.join('/')}`)).toEqual([
    'h-0001 z1/b1/r1',
    'h-0002 z1/b1/r1',
    'h-0003 z1/b1/r2',
    'h-0004 z1/b2/r1',
    'h-0005 z1/b2/r2',
  ]);
});

test('the GPUs of a node or a pool may be divided into slots, as far as they go', () => {
  const { nodes } = parse(withCluster('{nodes: [{name: a, gpus: 2, slots: {1g.10gb: 2, 3g.40gb: 1}}, {name: b}]}'));
  expect(nodes.map(({ slots }) => slots)).toEqual([['1g.10gb', '1g.10gb', '3g.40gb'], []]);
  expect(problemsOf(withCluster('{nodes: [{name: a, slots: {4g.40gb: 2}}, {name: b, slots: {1g: 1}}]}'))).toEqual([
    expect.stringContaining('cluster.nodes[0].slots: 8 compute slices; allowed: at most 7 a GPU'),
    expect.stringContaining('allowed: keys that are MIG profiles such as 1g.10gb'),
  ]);
});

test('levels may have any names and depth, and be one NVLink fabric', () => {
  const { levels, nodes } = parse(
    withCluster('{levels: [hall, {name: nvl72, nvlink: true}, node], nodes: [{name: a, path: [h1, n1], gpus: 16}]}'),
  );
  expect(levels).toEqual(['hall', 'nvl72', 'node']);
  expect(nodes[0]).toMatchObject({ path: ['h1', 'n1'], nvlinkSize: 1024 });
});

test('queues may stand in any order, and without any there is `default`', () => {
  const { queues } = parse(scenarioText({ timeline: [], rest: 'queues: [{name: child, parent: top}, {name: top}]' }));
  expect(queues.map(({ name }) => name)).toEqual(['top', 'child']);
  expect(parse(scenarioText({ timeline: [] })).queues.map(({ name }) => name)).toEqual(['default']);
});

test('a setting of the core is named as in its configuration, as a number or a duration', () => {
  const { policy } = parse(
    scenarioText({ timeline: [], rest: 'policy: {failureGraceMs: 7s, placementsPerStepMax: 3, coordinatorPorts: {first: 9}}' }),
  );
  expect(policy).toMatchObject({ failureGraceMs: 7_000, placementsPerStepMax: 3, coordinatorPorts: { first: 9, count: 5_000 } });
});

test('entries of one time keep the order of the file', () => {
  const { timeline } = parse(scenarioText({ timeline: [job('late', { at: '2s' }), job('b', { at: '1s' }), job('a', { at: '1s' })] }));
  expect(timeline.map(({ index }) => index)).toEqual([1, 2, 0]);
});
