import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RpcError } from '#rpc/rpcError.ts';
import { makeBench, type Bench } from '../../testing/commandLine.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.close());
beforeEach(() => {
  bench.server.asked.length = 0;
  Object.assign(bench.server.canned, { forecast: {}, refuse: {} });
});

const at = (minutes: number): ReturnType<typeof timestampFromMs> => timestampFromMs(Date.UTC(2026, 10, 25, 12, minutes));

const forecast = {
  revision: 9n,
  clusterRevision: 12n,
  at: at(0),
  before: {
    lastStart: at(20),
    usedPermille: 1_000,
    jobs: [
      { name: 'a', queue: 'red', gpuMilli: 8_000n, runs: true, end: at(10) },
      { name: 'b', queue: 'red', gpuMilli: 8_000n, start: at(10), end: at(20) },
      { name: 'c', queue: 'blue', gpuMilli: 8_000n, start: at(20), end: at(30) },
      { name: 'd', queue: 'blue', gpuMilli: 8_000n, why: 'held' },
    ],
  },
  after: {
    lastStart: at(10),
    usedPermille: 800,
    jobs: [
      { name: 'a', queue: 'red', gpuMilli: 8_000n, runs: true, end: at(10) },
      { name: 'b', queue: 'red', gpuMilli: 8_000n, start: at(12), end: at(22), stops: 1 },
      { name: 'c', queue: 'blue', gpuMilli: 8_000n, start: at(0), end: at(10) },
      { name: 'd', queue: 'blue', gpuMilli: 8_000n, why: 'held' },
      { name: 'e', queue: 'blue', gpuMilli: 500n, start: at(10), end: at(40) },
    ],
  },
};

test('both ways side by side: who gains, who loses, and of which state that is', async () => {
  bench.server.canned.forecast = forecast;
  expect(await bench.shoal(['what-if', '--next', 'c'])).toEqual({
    code: 0,
    stderr: '',
    stdout: `JOB   QUEUE   GPUS   START    INSTEAD   END      INSTEAD   GAINS
e     blue    0.5    -        in 10m    -        in 40m    runs
c     blue    8      in 20m   now       in 30m   in 10m    +20m
b     red     8      in 10m   in 12m    in 20m   in 22m    -2m, asked to leave

                                   AS IT IS   INSTEAD
last start                         in 20m     in 10m
mean start of those that wait      in 15m     in 7m20s
do not start                       1          1
GPUs in use until the last start   100.0%     80.0%
jobs that gain                                1
jobs that lose                                1
most gain                                     blue (1)
most lose                                     red (1)
As of revision 9, 2026-11-25T12:00:00Z. The cluster has gone on to revision 12 since. Nothing was changed.
`,
  });
  const all = await bench.shoal(['what-if', '--next', 'c', '--all']);
  expect(
    all.stdout
      .split('\n')
      .slice(1, 6)
      .map((line) => line.split(/\s+/)[0]),
  ).toEqual(['e', 'c', 'a', 'd', 'b']);
  const { stdout } = await bench.shoal(['what-if', '--next', 'c', '-o', 'json']);
  expect(JSON.parse(stdout)).toMatchObject({ revision: '9', clusterRevision: '12', after: { usedPermille: 800 } });
});

test('a long table is cut in its middle', async () => {
  const jobs = Array.from({ length: 100 }, (_, n) => ({
    name: `j${String(n).padStart(3, '0')}`,
    queue: 'red',
    start: at(n),
    end: at(n + 10),
  }));
  const later = jobs.map((job, n) => ({ ...job, end: at(n + 10 + (n - 50)) }));
  bench.server.canned.forecast = { revision: 9n, clusterRevision: 9n, at: at(0), before: { jobs }, after: { jobs: later } };
  const { stdout } = await bench.shoal(['what-if', '--next', 'c']);
  const names = stdout.split('\n').flatMap((line) => /^j\d+/.exec(line)?.[0] ?? []);
  expect([names.length, names[0], names.at(-1)]).toEqual([40, 'j000', 'j099']);
  expect(stdout).toContain('\n59 more between them; --all shows them\n');
  expect(stdout).not.toContain('gone on');
});

test('without a change it is the timetable', async () => {
  bench.server.canned.forecast = { ...forecast, after: undefined };
  const { stdout } = await bench.shoal(['what-if']);
  expect(stdout.split('\n')[0]).toMatch(/^JOB {3}QUEUE {3}USER/);
});

describe('changes', () => {
  test('are sent as they are meant, in the order of the flags', async () => {
    const file = await bench.file('q.yaml', 'kind: Queue\nmetadata: {name: q}\n');
    const words = ['--add-nodes', '4xRTX-xlx8', '--in', 'rack/r9', '--lose', 'n1', '--drain', 'rack/r1', '--cordon', 'n2', '--next', 'big'];
    await bench.shoal(['what-if', ...words, '--queue', 'red.limit=64', '--queue', 'red.guaranteed.H100=none', '-f', file]);
    const [asked] = bench.server.asked;
    expect(asked?.request).toMatchObject({
      queue: '',
      changes: [
        { change: { case: 'addNodes', value: { count: 4, gpuModel: 'RTX-xl', gpus: 8, domain: 'rack/r9' } } },
        { change: { case: 'lose', value: 'n1' } },
        { change: { case: 'drain', value: 'rack/r1' } },
        { change: { case: 'cordon', value: 'n2' } },
        { change: { case: 'quota', value: { queue: 'red', field: 'limit', gpuModel: '', amount: 64 } } },
        { change: { case: 'quota', value: { queue: 'red', field: 'guaranteed', gpuModel: 'H100' } } },
        { change: { case: 'next', value: 'big' } },
        { change: { case: 'document', value: {} } },
      ],
    });
  });

  test('that are none are wrong usage, with the form', async () => {
    const said = async (...words: string[]): Promise<string> => {
      const { code, stderr } = await bench.shoal(['what-if', ...words]);
      expect(code).toBe(2);
      return stderr;
    };
    expect(await said('--add-nodes', '4xH100')).toBe('error: --add-nodes "4xH100": it is of the form NODESxMODELxGPUS, e.g. 4xH100x8\n');
    expect(await said('--in', 'rack/r9')).toBe('error: --in "rack/r9": it says where nodes of --add-nodes stand; none are added\n');
    expect(await said('--queue', 'red=4')).toBe(
      'error: --queue "red=4": it is of the form NAME.FIELD=VALUE or NAME.FIELD.MODEL=VALUE, e.g. research.limit.H100=64\n',
    );
    expect(await said('--queue', 'red.size=4')).toBe('error: --queue "red.size=4": "size" is none of limit, guaranteed, weight\n');
    expect(await said('--queue', 'red.limit=-4')).toBe('error: --queue "red.limit=-4": "-4" is neither a number of 0 or more nor none\n');
    expect(bench.server.asked).toEqual([]);
  });

  test('that the server refuses are named as they were typed', async () => {
    const message = 'changes[0]: node "n9" not found\nchanges[1]: queue "rad" not found';
    bench.server.canned.refuse = { forecast: new RpcError('INVALID_ARGUMENT', message) };
    expect(await bench.shoal(['what-if', '--lose', 'n9', '--queue', 'rad.limit=1'])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'Error: --lose n9: node "n9" not found\nError: --queue rad.limit=1: queue "rad" not found\n',
    });
  });
});
