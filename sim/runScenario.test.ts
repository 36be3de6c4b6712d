import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runScenario } from './runScenario.ts';
import { job, scenarioText } from './testing/playText.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shoal-sim-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function run(text: string, ...flags: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const file = join(folder, 'scenario.yaml');
  await writeFile(file, text);
  let [out, err] = ['', ''];
  const code = await runScenario([...flags, file], { out: (part) => (out += part), err: (part) => (err += part) });
  return { code, out, err: err.replaceAll(`${folder}/`, '') };
}

const good = scenarioText({ timeline: [job('a', { spec: 'gpusPerWorker: 4', run: 'work: 1m' })] });

test('json is the whole report, the same bytes each time, without what the wall clock says', async () => {
  const first = await run(good, '-o', 'json');
  expect(first).toMatchObject({ code: 0, err: '' });
  expect(await run(good, '-o', 'json')).toEqual(first);
  const report: unknown = JSON.parse(first.out);
  expect(typeof report === 'object' && report !== null ? Object.keys(report) : []).toEqual([
    'name',
    'seed',
    'endedAt',
    'workloads',
    'services',
    'nodes',
    'incidents',
    'events',
    'plans',
    'ledger',
    'metrics',
  ]);
  expect(first.out).not.toContain('decisionTime');
});

test('--timings adds how long decisions took', async () => {
  const { out } = await run(good, '-o', 'json', '--timings');
  expect(JSON.parse(out)).toMatchObject({ metrics: { decisionTime: { p50: expect.any(Number), p99: expect.any(Number) } } });
});

test('text is short; --trace tells every decision, beside a report on stderr', async () => {
  const text = await run(good);
  expect(text.out.split('\n')[0]).toBe('scenario test, seed 0: 65s on 2 nodes');
  const traced = await run(good, '--trace');
  expect(traced.out.split('\n').filter((line) => line.includes('"kind":"AttemptPlaced"'))).toHaveLength(1);
  expect(traced.out.endsWith(text.out)).toBe(true);
  expect((await run(good, '--trace', '-o', 'json')).err).toContain('"kind":"AttemptPlaced"');
});

test('a wrong file is exit code 2, and nothing is printed but why', async () => {
  expect(await run(`${good}\nsed: 1`)).toEqual({
    code: 2,
    out: '',
    err: expect.stringMatching(/^scenario[.]yaml:\d+:1: sed: field "sed" is not known; did you mean "seed"[?]/),
  });
});

test('a place that does not fit is exit code 2, with its place in the file', async () => {
  const text = scenarioText({ timeline: [job('a', { spec: 'workers: 2, gpusPerWorker: 3', more: 'place: {n1: 2}' })] });
  expect(await run(text)).toEqual({
    code: 2,
    out: '',
    err: expect.stringMatching(/^scenario[.]yaml:9:\d+: timeline\[0\][.]place: workers of 3 GPUs/),
  });
});

test('a file that is not there and a flag that is not known are exit code 2', async () => {
  let err = '';
  const io = { out: () => undefined, err: (part: string) => (err += part) };
  expect(await runScenario([join(folder, 'none.yaml')], io)).toBe(2);
  expect(await runScenario(['--fast', 'x.yaml'], io)).toBe(2);
  expect(await runScenario(['-o', 'xml', 'x.yaml'], io)).toBe(2);
  expect(err).toContain('"xml" is not known; allowed: json, text');
});
