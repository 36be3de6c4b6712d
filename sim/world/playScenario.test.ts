import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { attemptsOf, job, playText, scenarioText } from '../testing/playText.ts';

const whole = 'workers: 2, gpusPerWorker: 4';
const run = 'work: 10m, step: 10s, checkpointEvery: 1m, loadTakes: 10s';

describe('programs', () => {
  test('a job launches, loads, works and ends: each takes its time', () => {
    const report = playText(scenarioText({ timeline: [job('a', { spec: whole, run })] }));
    expect(attemptsOf(report, 'a')).toEqual(['1: 5000-615000 Succeeded on n1,n2 from 0']);
    expect(report.endedAt).toBe(615_000);
    expect(report.ledger.categories).toMatchObject({ starting: 15_000 * 8_000, productive: 600_000 * 8_000, idle: 0 });
    expect(report.workloads['job/a']?.effective).toBe(0.975609);
  });

  test('a checkpoint that takes time delays the steps', () => {
    const report = playText(scenarioText({ timeline: [job('a', { spec: whole, run: `${run}, checkpointTakes: 5s` })] }));
    expect(attemptsOf(report, 'a')).toEqual(['1: 5000-660000 Succeeded on n1,n2 from 0']);
    // Nine of them, while eight GPUs wait.
    const spent = { starting: 15_000 * 8_000, productive: 600_000 * 8_000, checkpointing: 45_000 * 8_000 };
    expect(report.ledger.categories).toMatchObject({ ...spent, suspending: 0, idle: 0 });
    expect(report.ledger.byWorkload['job/a']).toMatchObject(spent);
    expect(report.workloads['job/a']?.effective).toBe(0.90909);
  });

  test('an exit of its own is charged to the user, and ends the job when no restart is left', () => {
    const spec = `${whole}, restarts: {max: 1}`;
    const report = playText(scenarioText({ timeline: [job('a', { spec, run: `${run}, exit: {after: 3m, code: 9}` })] }));
    expect(attemptsOf(report, 'a')).toEqual([
      '1: 5000-197000 ApplicationFailure on n1,n2 from 0',
      '2: 202000-394000 ApplicationFailure on n1,n2 from 12',
    ]);
    expect(report.workloads['job/a']).toMatchObject({ phase: 'Failed', restarts: { application: 2, infrastructure: 0 } });
    expect(report.workloads['job/a']?.attempts.every((attempt) => attempt.chargedToUser)).toBe(true);
  });

  test('a program without work runs until nothing else is left to do', () => {
    const report = playText(scenarioText({ timeline: [job('a', { spec: whole }), job('b')] }));
    expect(report.workloads).toMatchObject({
      'job/a': { phase: 'Running' },
      'job/b': { phase: 'Pending', verdict: { reason: 'InsufficientGpus' } },
    });
  });

  test('a promised end comes at its time', () => {
    const report = playText(scenarioText({ timeline: [job('a', { spec: `${whole}, maxRuntime: 90s` })] }));
    expect(attemptsOf(report, 'a')).toEqual(['1: 5000-92000 MaxRuntime on n1,n2 from 0']);
  });
});

describe('leaving', () => {
  const suspended = (more: string, at = '3m33s') =>
    playText(
      scenarioText({
        timeline: [
          job('a', { spec: whole, run: `${run}${more}` }),
          `{at: ${at}, do: {verb: suspend, target: job/a}}`,
          '{at: 6m, do: {verb: resume, target: job/a}}',
        ],
      }),
    );

  test('save: all ranks stop after the same step and go on from it', () => {
    expect(attemptsOf(suspended(''), 'a')).toEqual([
      '1: 5000-225000 Suspended on n1,n2 from 0',
      '2: 365000-765000 Succeeded on n1,n2 from 21',
    ]);
  });

  test('for another: what is free of its place is reserved meanwhile, and is the other’s time', () => {
    const timeline = [
      job('low', { spec: 'gpusPerWorker: 4, priority: 10', run: 'work: 10m, step: 10s, checkpointTakes: 7s' }),
      job('urgent', { at: '1m', spec: `${whole}, priority: 90`, run: 'work: 1m, step: 10s' }),
    ];
    const report = playText(scenarioText({ timeline }));
    expect(attemptsOf(report, 'urgent')).toEqual(['1: 87000-147000 Succeeded on n1,n2 from 0']);
    // Four GPUs of n2, from when it was promised both nodes until n1 was left 22 s later.
    expect(report.ledger.categories).toMatchObject({ reserved: 22_000 * 4_000, suspending: 22_000 * 4_000 });
    expect(report.ledger.byWorkload['job/urgent']).toMatchObject({ reserved: 22_000 * 4_000, suspending: 0 });
  });

  test('the checkpoint that it leaves with is part of leaving', () => {
    const { categories } = suspended(', checkpointTakes: 5s').ledger;
    // Nine at every sixth step. The tenth follows 17 s of work, from when it was asked to step 20, at which all stopped.
    const wantMs = { checkpointing: 45_000, suspending: 17_000 + 5_000, productive: 600_000 - 17_000 };
    expect(categories).toMatchObject(Object.fromEntries(Object.entries(wantMs).map(([category, ms]) => [category, ms * 8_000])));
  });

  test('save with one rank a GPU: the agreement is the same', () => {
    const timeline = [
      job('a', { spec: `${whole}, processesPerWorker: gpu`, run }),
      '{at: 3m33s, do: {verb: suspend, target: job/a}}',
      '{at: 6m, do: {verb: resume, target: job/a}}',
    ];
    expect(attemptsOf(playText(scenarioText({ timeline })), 'a')[1]).toBe('2: 365000-765000 Succeeded on n1,n2 from 21');
  });

  test('exit: what was done since the last checkpoint is done again', () => {
    const report = suspended(', onSuspend: exit');
    expect(attemptsOf(report, 'a')).toEqual(['1: 5000-225000 Suspended on n1,n2 from 0', '2: 365000-795000 Succeeded on n1,n2 from 18']);
    expect(report.ledger.categories['recomputed']).toBeGreaterThan(0);
  });

  test('ignore: it is killed when its grace is over', () => {
    expect(attemptsOf(suspended(', onSuspend: ignore'), 'a')[0]).toBe('1: 5000-250000 Suspended on n1,n2 from 0');
  });

  test('one that still loads is ended by a signal', () => {
    expect(attemptsOf(suspended('', '8s'), 'a')).toEqual([
      '1: 5000-10000 Suspended on n1,n2 from 0',
      '2: 365000-975000 Succeeded on n1,n2 from 0',
    ]);
  });

  test('a drained node lets its jobs go on elsewhere', () => {
    const timeline = [job('a', { spec: whole, run }), '{at: 3m33s, do: {verb: drain, target: node/n2}}'];
    const report = playText(scenarioText({ nodes: 3, timeline }));
    expect(attemptsOf(report, 'a')[1]).toBe('2: 230000-630000 Succeeded on n1,n3 from 21');
    expect(report.nodes['n2']).toMatchObject({ state: 'Draining', cordons: [{ owner: 'operator', reason: '' }] });
  });

  test('a deleted job stays in the ledger', () => {
    const report = playText(scenarioText({ timeline: [job('a', { spec: whole, run }), '{at: 3m33s, do: {verb: delete, target: job/a}}'] }));
    expect(report.workloads['job/a']?.phase).toBe('Deleted');
    expect(report.ledger.byWorkload['job/a']).toMatchObject({ starting: 120_000_000 });
  });
});

describe('faults', () => {
  const struck = (fault: string, { nodes = 3, more = '', spec = whole } = {}) =>
    playText(scenarioText({ nodes, timeline: [job('a', { spec, run: `${run}${more}` }), `{at: 5m33s, fault: {${fault}}}`] }));

  test('a node that goes down is lost after its silence; the gang moves and the user is not charged', () => {
    const report = struck('node: n1, kind: node-down, for: 1m');
    expect(attemptsOf(report, 'a')).toEqual(['1: 5000-342000 NodeFailure on n1,n2 from 0', '2: 347000-657000 Succeeded on n3,n2 from 30']);
    expect(report.workloads['job/a']).toMatchObject({
      restarts: { application: 0, infrastructure: 1 },
      attempts: [{ chargedToUser: false }, {}],
    });
    expect(report.incidents).toMatchObject([{ node: 'n1', gpu: null, verdict: 'node', at: 340_000, resolvedAt: null }]);
    expect(report.nodes['n1']?.state).toBe('Lost');
  });

  test('it comes back after its time and a reboot, and takes work again', () => {
    const report = struck('node: n1, kind: node-down, for: 1m', { nodes: 2 });
    expect(attemptsOf(report, 'a')[1]).toBe('2: 698000-1008000 Succeeded on n1,n2 from 30');
    expect(report.incidents).toMatchObject([{ resolvedAt: 693_000 }]);
  });

  test('a silence shorter than the allowed one costs nothing', () => {
    expect(attemptsOf(struck('node: n1, kind: agent-lost, for: 6s'), 'a')).toEqual(['1: 5000-615000 Succeeded on n1,n2 from 0']);
  });

  test('an agent that was cut off ends what runs on before its node takes work', () => {
    const report = struck('node: n1, kind: agent-lost, for: 1m');
    expect(attemptsOf(report, 'a')[1]).toBe('2: 347000-657000 Succeeded on n3,n2 from 30');
    const seen = report.events.filter(({ object, at }) => object === 'node/n1' && at > 0).map(({ at, reason }) => `${at} ${reason}`);
    expect(seen).toEqual(['340000 NodeLost', '393000 Returned', '395000 Ready']);
  });

  test('a whole domain is struck at once', () => {
    const report = struck('domain: [z1, b1, r1], kind: node-down, for: 1m', { nodes: 4, spec: 'workers: 4, gpusPerWorker: 4' });
    expect(report.incidents.map(({ node }) => node)).toEqual(['n1', 'n2']);
    expect(attemptsOf(report, 'a')[1]).toBe('2: 698000-1008000 Succeeded on n1,n2,n3,n4 from 30');
  });

  test('copies in memory outlive one node, not two neighbours', () => {
    const more = ', memoryCheckpointEvery: 10s';
    const options = { nodes: 4, more, spec: 'workers: 4, gpusPerWorker: 4' };
    expect(attemptsOf(struck('node: n1, kind: node-down, for: 1m', options), 'a')[1]).toContain('from 31');
    expect(attemptsOf(struck('domain: [z1, b1, r1], kind: node-down, for: 1m', options), 'a')[1]).toContain('from 30');
  });

  test('an Xid takes its GPU out until it is reset, or the node rebooted', () => {
    const soft = struck('node: n1, kind: xid, code: 94, gpu: 2', { nodes: 2 });
    expect(soft.incidents).toMatchObject([
      { node: 'n1', gpu: 2, verdict: 'gpu', signals: [{ source: 'xid', code: 94, count: 1 }], at: 333_000, resolvedAt: 393_000 },
    ]);
    expect(attemptsOf(soft, 'a')[0]).toContain('335000 GpuFailure');
    expect(struck('node: n1, kind: xid, code: 79, gpu: 2', { nodes: 2 }).incidents).toMatchObject([{ resolvedAt: 633_000 }]);
  });

  test('an Xid that programs raise ends the program and leaves the GPU', () => {
    const report = struck('node: n1, kind: xid, code: 31, gpu: 2');
    expect(report.incidents).toEqual([]);
    expect(report.workloads['job/a']).toMatchObject({ phase: 'Failed', attempts: [{ chargedToUser: true }] });
  });

  test('a process that exits is charged', () => {
    const report = struck('kind: process-exit, job: a, rank: 1, code: 3', { spec: `${whole}, restarts: {max: 1}` });
    expect(attemptsOf(report, 'a')).toEqual([
      '1: 5000-335000 ApplicationFailure on n1,n2 from 0',
      '2: 340000-650000 Succeeded on n1,n3 from 30',
    ]);
    expect(report.workloads['job/a']?.attempts.map((attempt) => attempt.chargedToUser)).toEqual([true, false]);
  });

  test('a link that flaps stops the steps, a slow node stretches them', () => {
    expect(attemptsOf(struck('node: n1, kind: link-flap, for: 3s, times: 2'), 'a')).toEqual(['1: 5000-621000 Succeeded on n1,n2 from 0']);
    expect(attemptsOf(struck('node: n1, kind: slow, factor: 2, for: 2m'), 'a')).toEqual(['1: 5000-675000 Succeeded on n1,n2 from 0']);
  });

  test('a hung program holds its GPUs and makes no steps', () => {
    const report = struck('kind: hang, job: a');
    expect(report.workloads['job/a']).toMatchObject({ phase: 'Running', attempts: [{ lastCheckpointStep: 30 }] });
  });
});

describe('setting up and asking', () => {
  test('place puts the workers exactly there', () => {
    const report = playText(scenarioText({ nodes: 3, timeline: [job('a', { spec: whole, run, more: 'place: {n3: 1, n2: 1}' })] }));
    expect(report.workloads['job/a']?.attempts[0]?.placement.map(({ node }) => node)).toEqual(['n3', 'n2']);
  });

  test('a place that does not fit is an error that names the nodes', () => {
    const timeline = [
      job('a', { spec: 'gpusPerWorker: 3', more: 'place: {n1: 1}' }),
      job('b', { spec: 'gpusPerWorker: 2', more: 'place: {n1: 1}' }),
    ];
    expect(() => playText(scenarioText({ timeline }))).toThrow('workers of 2 GPUs of one model do not fit on n1 (1 of 4 GPUs free)');
  });

  test('a required level holds for what is placed by hand', () => {
    const spec = `${whole}, placement: {constraints: [{level: rack, mode: required}]}`;
    expect(() => playText(scenarioText({ nodes: 3, timeline: [job('a', { spec, more: 'place: {n2: 1, n3: 1}' })] }))).toThrow(
      'job a must be inside one rack',
    );
  });

  test('plan tells where a job would go, or why it would wait, and changes nothing', () => {
    const manifest = (name: string, gpus: number) =>
      `{apiVersion: shoal.dev/v1, kind: TrainingJob, metadata: {name: ${name}}, spec: {gpusPerWorker: ${gpus}}}`;
    const timeline = [
      job('a', { spec: 'gpusPerWorker: 3', run }),
      `{at: 1m, do: {verb: plan, manifest: ${manifest('x', 1)}}}`,
      `{at: 1m, do: {verb: plan, manifest: ${manifest('y', 2)}}}`,
    ];
    const report = playText(scenarioText({ nodes: 1, timeline }));
    expect(report.plans).toMatchObject([
      { at: 60_000, object: 'job/x', outcome: 'Placed', placement: [{ node: 'n1', gpus: [3] }] },
      { outcome: 'Waits', message: expect.stringContaining('0 of 1 workers fit now') },
    ]);
    expect(Object.keys(report.workloads)).toEqual(['job/a']);
  });

  test('what the core refuses is told, and the story goes on', () => {
    const report = playText(scenarioText({ timeline: [job('a', { run }), '{at: 1h, do: {verb: suspend, target: job/a}}'] }));
    expect(report.events).toContainEqual(expect.objectContaining({ object: 'job/a', reason: 'Refused', at: 3_600_000 }));
  });

  test('priority moves a waiting job ahead', () => {
    const timeline = [
      job('a', { spec: whole, run }),
      job('b', { spec: whole, run }),
      job('c', { spec: whole, run }),
      '{at: 1m, do: {verb: priority, target: job/c, value: 90}}',
    ];
    const report = playText(scenarioText({ timeline }));
    const started = (name: string): number => report.workloads[`job/${name}`]?.attempts[0]?.startedAt ?? 0;
    expect(started('c')).toBeLessThan(started('b'));
  });
});

describe('examples', () => {
  const folder = new URL('../../examples/scenarios/', import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

  test.each(files)('%s plays, prints the same bytes twice, and its ledger sums to the capacity', (name) => {
    const text = readFileSync(new URL(name, folder), 'utf8');
    const report = playText(text);
    expect(JSON.stringify(playText(text))).toBe(JSON.stringify(report));
    const sum = Object.values(report.ledger.categories).reduce((total, amount) => total + BigInt(amount), 0n);
    expect(sum).toBe(BigInt(report.ledger.capacity));
    expect(Object.keys(report.workloads).length).toBeGreaterThan(0);
  });
});

describe('found by `shoal sim fuzz`', () => {
  const apply = (name: string, spec: string, run: string): string => job(name, { spec, run });

  test('a node that is away for a moment, of which nobody hears, gets its assignment when it is back', () => {
    const timeline = [apply('a', 'gpusPerWorker: 1', 'work: 1m'), '{at: 0s, fault: {domain: [z1], kind: agent-lost, for: 1s}}'];
    expect(attemptsOf(playText(scenarioText({ timeline })), 'a')).toEqual(['1: 6000-66000 Succeeded on n1 from 0']);
  });

  test('the jobs of an array have the program of its entry', () => {
    const report = playText(scenarioText({ timeline: [apply('a', 'array: {count: 2}', 'work: 1m')] }));
    expect(Object.entries(report.workloads).map(([name, { phase }]) => `${name} ${phase}`)).toEqual([
      'job/a-0 Succeeded',
      'job/a-1 Succeeded',
    ]);
  });

  test('a priority for a job that was deleted is refused, and does not bring it back', () => {
    const rest = ['{at: 1s, do: {verb: delete, target: job/a}}', '{at: 1m, do: {verb: priority, target: job/a, value: 3}}'];
    const report = playText(scenarioText({ timeline: [apply('a', 'gpusPerWorker: 1', 'work: 1h'), ...rest] }));
    expect(report.workloads['job/a']?.phase).toBe('Deleted');
    expect(report.events.filter(({ reason }) => reason === 'Refused').map(({ object }) => object)).toEqual(['job/a']);
  });

  test('a slot that is kept for a waiting job is no whole GPU of the ledger', () => {
    const slot = 'gpuProfile: 3g.40gb';
    const timeline = [
      apply('low', `${slot}, priority: 0`, 'step: 10s'),
      apply('done', slot, 'work: 1s'),
      apply('alone', `${slot}, placement: {exclusive: zone}`, 'step: 10s'),
    ];
    const text = scenarioText({ nodes: 1, timeline, rest: 'until: 10m' }).replace('gpus: 4}', 'gpus: 4, slots: {3g.40gb: 1}}');
    expect(playText(text).workloads['job/done']?.phase).toBe('Succeeded');
  });
});
