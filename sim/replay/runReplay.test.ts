import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InputError } from '../inputError.ts';
import { compileReplay, readFlags, runReplay } from './runReplay.ts';

let folder = '';
let files: readonly string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shoal-replay-'));
  const [jobs, cluster] = [join(folder, 'jobs.csv.gz'), join(folder, 'cluster.yaml')];
  await writeFile(jobs, gzipSync('submit_s,duration_s,gpus,est_s\n0,100,8,90\n10,100,8,90\n'));
  await writeFile(cluster, 'pools: [{name: p, count: 1, gpus: 8}]\n');
  files = ['--jobs', jobs, '--cluster', cluster];
});

afterAll(async () => rm(folder, { recursive: true }));

async function play(...flags: readonly string[]): Promise<{ readonly code: number; readonly text: string }> {
  let text = '';
  const write = (part: string): void => {
    text += part;
  };
  return { code: await runReplay([...files, ...flags], { stdout: write, stderr: write }), text };
}

test('the report says what was played, and its ledger what every GPU did', async () => {
  const { code, text } = await play('-o', 'json', '--policy', 'fifo', '--estimates', 'csv');
  expect(code).toBe(0);
  expect(JSON.parse(text)).toMatchObject({
    policy: { name: 'fifo', settings: { placement: 'best fit', behindTheHead: 'strict', estimates: 'csv', overheadFactor: 1 } },
    metrics: {
      allocation: 1,
      effective: 1,
      queueingDelay: { mean: 45_000, p50: 0, p99: 90_000 },
      queueingDelayByPriority: { 0: { mean: 45_000, p50: 0, p99: 90_000 } },
      completionTime: { mean: 145_000, p50: 100_000, p99: 190_000 },
      decisions: 2,
    },
    ledger: { capacity: '1600000000', categories: { productive: '1600000000', suspending: '0', idle: '0' } },
    makespan: 200_000,
    table: { jobs: 2, avgQueueS: 45, avgQueueNodeS: 45, makespanS: 200 },
  });
});

test('without flags Shoal’s own policy prints one row below its headings', async () => {
  const { code, text } = await play();
  expect(code).toBe(0);
  expect(text.split('\n').map((line) => line.split(/ {2,}/).slice(0, 4))).toEqual([
    ['policy', 'avg JCT', 'p99 JCT', 'avg queue'],
    ['shoal', '145', '190', '45'],
    [''],
  ]);
});

describe('what is wrong is said, and the exit code is 2:', () => {
  test.each([
    [['--policy', 'lottery'], 'error: --policy "lottery" is not known; known are shoal, shoal-classes, fifo, '],
    [['--estimates', 'none'], 'error: --estimates "none" must be one of exact, csv'],
    [['--overhead-factor', '1.5'], 'error: --overhead-factor "1.5" must be a whole number from 0 to 1000'],
    [['--checkpoint-every', '0'], 'error: --checkpoint-every "0" must be a whole number from 1 to 31536000'],
    [['-o', 'yaml'], 'error: --output "yaml" must be one of text, json'],
    [['--polcy', 'fifo'], "error: Unknown option '--polcy'"],
    [['--jobs', 'nowhere.csv'], 'error: cannot read nowhere.csv: ENOENT'],
  ])('%s', async (flags, message) => {
    const { code, text } = await play(...flags);
    expect(code).toBe(2);
    expect(text.startsWith(message), text).toBe(true);
    expect(text.endsWith('See: shoal sim replay --help\n')).toBe(true);
  });
});

test('both files are asked for', () => {
  expect(() => compileReplay(readFlags(['--cluster', 'c.yaml']))).toThrow(new InputError('--jobs is missing: the trace to play'));
  expect(() => compileReplay(readFlags(['--jobs', 'j.csv']))).toThrow('--cluster is missing');
});
