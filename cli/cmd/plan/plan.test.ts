import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { makeBench, type Bench } from '../../testing/commandLine.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.close());
beforeEach(() => {
  bench.server.asked.length = 0;
  Object.assign(bench.server.canned, { planned: {}, forecast: {}, refuse: {} });
});

const at = (minutes: number): ReturnType<typeof timestampFromMs> => timestampFromMs(Date.UTC(2026, 10, 25, 12, minutes));
const manifests = ['fits', 'waits', 'bad']
  .map((name) => `apiVersion: shoal.dev/v1\nkind: TrainingJob\nmetadata: {name: ${name}}\nspec:\n  workers: 1\n`)
  .join('---\n');

test('each document is told where it would start, or what it waits for, whom it displaces and when it starts', async () => {
  bench.server.canned.planned = {
    fits: {
      apply: { outcome: 'created', object: { kind: 'TrainingJob', name: 'fits' } },
      placement: [{ worker: 0, node: 'node-1', gpus: [0, 1] }],
    },
    waits: {
      apply: { outcome: 'created', object: { kind: 'TrainingJob', name: 'waits' } },
      waitReason: 'WaitingForVictims',
      waitMessage: '1 x 8 GPUs will be free when low has left',
      promised: [{ worker: 0, node: 'node-2', gpus: [0, 1, 2, 3] }],
      displaced: [
        { job: 'low', queue: 'default', user: 'bob', gpuMilli: 8_000n, lostGpuSeconds: 5_400n },
        { job: 'half', queue: 'red', user: 'eve', gpuMilli: 500n, lostGpuSeconds: 60n, moves: true },
      ],
      start: { p50: at(8), p90: at(20), at: at(0) },
    },
  };
  const file = await bench.file('jobs.yaml', manifests.split('---\n').slice(0, 2).join('---\n'));
  expect(await bench.shoal(['plan', '-f', file])).toEqual({
    code: 7,
    stderr: '',
    stdout: `job/fits would be created
  would start now on:
    worker 0   node-1   GPUs 0-1
job/waits would be created
  would wait: WaitingForVictims: 1 x 8 GPUs will be free when low has left
  would ask to leave:
    job/low of bob in default: 8 GPUs, 1.50 GPU-hours of work since its last checkpoint and restart
    job/half of eve in red: 0.5 GPUs, 0.02 GPU-hours of work since its last checkpoint and restart; it moves, and goes on at once
  would start then on:
    worker 0   node-2   GPUs 0-3
  would start: in 8m (2026-11-25T12:08:00Z), 9 of 10 times within 20m
As of revision 7; nothing was changed.
`,
  });
  expect(bench.server.asked).toMatchObject([{ method: 'plan', request: { when: true } }]);
});

test('a refusal names its file and line, the others are told; exit code 1', async () => {
  bench.server.canned.planned = {
    bad: {
      apply: {
        outcome: 'refused',
        code: 'INVALID_ARGUMENT',
        object: { kind: 'TrainingJob', name: 'bad' },
        problems: [{ field: 'spec.workers', message: 'too many' }],
      },
    },
    waits: {
      apply: { outcome: 'created', object: { kind: 'TrainingJob', name: 'waits' } },
      waitReason: 'Held',
      waitMessage: 'held',
    },
  };
  const file = await bench.file('jobs.yaml', manifests);
  expect(await bench.shoal(['plan', '-f', file])).toEqual({
    code: 1,
    stderr: `Error: ${file}:17:3: spec.workers: too many\n`,
    stdout:
      'job/fits would be created\njob/waits would be created\n  would wait: Held: held\n  would start: nobody knows when\nAs of revision 7; nothing was changed.\n',
  });
});

test('the timetable of a queue, for people and as data', async () => {
  bench.server.canned.forecast = {
    revision: 9n,
    at: at(0),
    estimates: { told: 40n, withinP90: 37n, medianErrorPermille: 152 },
    before: {
      usedPermille: 925,
      cutAt: at(59),
      jobs: [
        { name: 'a', queue: 'red', user: 'bob', gpuMilli: 8_000n, runs: true, end: at(10) },
        {
          name: 'b',
          queue: 'red',
          user: 'eve',
          gpuMilli: 500n,
          start: at(10),
          end: at(30),
          estimate: { p50: at(10), p90: at(25), at: at(0) },
        },
        { name: 'c', queue: 'red', user: 'eve', gpuMilli: 1_000n, why: 'held by bob' },
      ],
    },
  };
  expect(await bench.shoal(['plan', '--queue', 'red'])).toEqual({
    code: 0,
    stderr: '',
    stdout: `JOB   QUEUE   USER   GPUS   START    START (9 OF 10)   END      WHY NOT
a     red     bob    8      runs     -                 in 10m   -
b     red     eve    0.5    in 10m   in 25m            in 30m   -
c     red     eve    1      never    -                 -        held by bob
As of revision 9, 2026-11-25T12:00:00Z. 92.5% of the GPUs are in use until the last start. It goes no further than 2026-11-25T12:59:00Z.
Of 40 starts that were told before 93% came by the time of 9 of 10, off by 15% of the wait in the middle case.
`,
  });
  const { stdout } = await bench.shoal(['plan', '--queue', 'red', '-o', 'json']);
  expect(JSON.parse(stdout)).toMatchObject({ revision: '9', before: { jobs: [{ name: 'a', runs: true }, { name: 'b' }, { name: 'c' }] } });
  bench.server.canned.forecast = { revision: 9n };
  expect((await bench.shoal(['plan', '--queue', 'red'])).stdout).toBe('Nobody runs or waits (revision 9)\n');
});

test('files or a queue are wanted, and not both', async () => {
  for (const words of [['plan'], ['plan', '-f', 'x.yaml', '--queue', 'red']])
    expect(await bench.shoal(words)).toEqual({ code: 2, stdout: '', stderr: 'error: one of -f and --queue is wanted\n' });
});
