import { expect, test } from 'vitest';
import { job, scenarioText } from '../testing/playText.ts';
import { parseScenario } from './parseScenario.ts';

/** A scenario of n1, n2 and job a with these annotations. */
function parse(annotations: string): ReturnType<typeof parseScenario> {
  const text = scenarioText({ timeline: [job('a')] });
  return parseScenario(text.replace('metadata: {name: test}', `metadata:\n  name: test\n  annotations:\n${annotations}`), 'x.yaml');
}

const trouble = (yaml: string): string => `    sim.shoal.dev/trouble: |\n      ${yaml}`;

test('trouble is read as YAML, with its defaults', () => {
  const parsed = parse(
    `${trouble('{late: 2s, controllerRestarts: [{at: 1m}], orders: [{at: 5s, verb: hold, job: a}]}')}\n    sim.shoal.dev/watch: every`,
  );
  expect(parsed.ok && [parsed.scenario.watch, parsed.scenario.trouble]).toEqual([
    'every',
    {
      lateMs: 2_000,
      doubled: 0,
      controllerRestarts: [{ atMs: 60_000, forMs: 0, afterCommit: false, fromSnapshot: false }],
      agentRestarts: [],
      orders: [{ atMs: 5_000, user: 'operator', verb: 'hold', job: 'a' }],
    },
  ]);
});

test('other annotations are for people', () => {
  const parsed = parse('    team: x');
  expect(parsed.ok && [parsed.scenario.watch, parsed.scenario.trouble]).toEqual(['core', null]);
});

test.each([
  [trouble('late: soon'), '.late: "soon" is not allowed; allowed: a duration'],
  [trouble('doubled: 2'), '.doubled: 2 is not allowed; allowed: a number from 0 to 1'],
  [trouble('restarts: []'), '.restarts: field "restarts" is not known'],
  [trouble('agentRestarts: [{at: 1s, node: n9}]'), '.agentRestarts[0].node: node "n9" is not known; did you mean'],
  [trouble('orders: [{at: 1s, verb: next, job: b}]'), '.orders[0].job: job "b" is not known'],
  [trouble('orders: [{verb: stop, job: a}]'), '.orders[0].at: is missing'],
  [trouble('orders: [{at: 1s, verb: stop, job: a}]'), '.orders[0].verb: "stop" is not known; allowed: hold, release, next, delete-now'],
  [trouble('- a'), 'allowed: YAML of late, doubled, controllerRestarts, agentRestarts, orders'],
  ['    sim.shoal.dev/watch: all', '"all" is not known; allowed: core, every'],
])('what is wrong is told with its field: %s', (annotations, said) => {
  const parsed = parse(annotations);
  expect(parsed.ok ? [] : parsed.problems.join('\n')).toContain(said);
});
