import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { makeBench, type Bench } from '../../testing/commandLine.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.close());

const holes = (node: number, scattered: bigint) => ({
  scatteredGpuMilli: scattered,
  free: [
    { level: 'rack', domains: node > 1 ? 1 : 0 },
    { level: 'node', domains: node },
  ],
});

beforeEach(() => {
  bench.server.asked.length = 0;
  bench.server.canned.defrag = {
    moves: [
      { job: 'a', from: [{ node: 'n1', gpus: [0, 1] }], to: [{ node: 'n3', gpus: [6, 7] }], cost: '120000000' },
      { job: 'b', from: [{ node: 'n1', gpus: [4] }], to: [{ node: 'n4', gpus: [3] }], cost: '60000000' },
    ],
    before: holes(0, 9_500n),
    after: holes(2, 1_500n),
  };
});

test('who would move where, what it costs, and what comes free; nothing is asked for but that', async () => {
  const { code, stdout } = await bench.shoal(['defrag', '--dry-run']);
  expect(code).toBe(0);
  expect(stdout).toBe(
    [
      'JOB   FROM      TO        GPU-SECONDS',
      'a     n1[0-1]   n3[6-7]   120',
      'b     n1[4]     n4[3]     60',
      '',
      '2 jobs would be asked to move.',
      '                        NOW   THEN',
      'racks that lie free     0     1',
      'nodes that lie free     0     2',
      'free GPUs beside jobs   9.5   1.5',
      '',
    ].join('\n'),
  );
  expect(bench.server.asked.map(({ request }) => request)).toMatchObject([{ dryRun: true }]);
});

test('without --dry-run they are asked; a bound goes along', async () => {
  const { stdout } = await bench.shoal(['defrag', '--moves', '3']);
  expect(stdout).toContain('2 jobs are asked to move.');
  expect(bench.server.asked.map(({ request }) => request)).toMatchObject([{ dryRun: false, movesMax: 3 }]);
  expect(await bench.shoal(['defrag', '--moves', '-1'])).toMatchObject({ code: 2 });
});

test('nothing that pays is no error, and is said with what there is', async () => {
  bench.server.canned.defrag = { before: holes(1, 500n), after: holes(1, 500n) };
  const { code, stdout } = await bench.shoal(['defrag', '--dry-run']);
  expect(code).toBe(0);
  expect(stdout).toBe(
    [
      'Nothing to move: no node can be emptied at a price that pays.',
      '                        NOW   THEN',
      'racks that lie free     0     0',
      'nodes that lie free     1     1',
      'free GPUs beside jobs   0.5   0.5',
      '',
    ].join('\n'),
  );
});

test('-o json has the same for programs', async () => {
  const { stdout } = await bench.shoal(['defrag', '--dry-run', '-o', 'json']);
  expect(JSON.parse(stdout)).toMatchObject({
    dryRun: true,
    moves: [{ job: 'a', from: [{ node: 'n1', gpus: [0, 1] }], to: [{ node: 'n3', gpus: [6, 7] }], cost: '120000000' }, { job: 'b' }],
    after: {
      scatteredGpuMilli: '1500',
      free: [
        { level: 'rack', domains: 1 },
        { level: 'node', domains: 2 },
      ],
    },
  });
});
