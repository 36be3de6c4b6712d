import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeBench, type Bench } from '../../testing/commandLine.ts';

const hour = 3_600_000_000n;
let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.close());

test('the cluster’s GPU time is a line a category, the greatest first, with shares of all', async () => {
  bench.server.canned.ledger = {
    capacity: String(8n * hour),
    rows: [{ amounts: { productive: String(6n * hour), idle: String(hour + hour / 2n), recomputed: String(hour / 2n) } }],
  };
  const { code, stdout } = await bench.shoal(['ledger']);
  expect(code).toBe(0);
  expect(stdout).toBe(
    [
      'CATEGORY     GPU-HOURS   SHARE',
      'productive   6.00        75.0%',
      'idle         1.50        18.7%',
      'recomputed   0.50        6.2%',
      'total        8.00        100.0%',
      '',
    ].join('\n'),
  );
});

test('by queue, user, project or job it is a line a name, with the categories that somebody has', async () => {
  bench.server.canned.ledger = {
    capacity: String(8n * hour),
    rows: [
      { name: '', amounts: { starting: String(hour / 100n) } },
      { name: 'assistant', amounts: { productive: String(6n * hour), reserved: String(hour / 2n), checkpointing: String(hour / 4n) } },
    ],
  };
  const { stdout } = await bench.shoal(['ledger', '--by', 'project']);
  expect(stdout).toBe(
    [
      'PROJECT     GPU-HOURS   CHECKPOINTING   PRODUCTIVE   RESERVED   STARTING',
      '<none>      0.01        0.00            0.00         0.00       0.01',
      'assistant   6.75        0.25            6.00         0.50       0.00',
      '',
    ].join('\n'),
  );
  expect(bench.server.asked.at(-1)).toMatchObject({ method: 'ledger', request: { by: 'project' } });
});

test('-o json keeps every digit', async () => {
  bench.server.canned.ledger = { capacity: '98765432109876543210', rows: [{ name: 'a', amounts: { productive: '98765432109876543210' } }] };
  const { stdout } = await bench.shoal(['ledger', '--by', 'user', '-o', 'json']);
  expect(JSON.parse(stdout)).toEqual({
    by: 'user',
    unit: 'milli-GPU-milliseconds',
    capacity: '98765432109876543210',
    rows: [{ name: 'a', amounts: { productive: '98765432109876543210' } }],
  });
});

test('a grouping that there is none of is wrong usage', async () => {
  const { code, stderr } = await bench.shoal(['ledger', '--by', 'team']);
  expect(code).toBe(2);
  expect(stderr).toContain('queue, user, project, job');
});
