import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeBench, type Bench } from '../../testing/commandLine.ts';
import { at, jobWith, nodeWith } from '../../testing/objects.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.close());

const verdict = {
  class: 'HonestWait',
  reason: 'LevelTooSmall',
  message: '2 x 4 GPUs wanted inside one rack; the best rack has room for 1 workers now',
  since: at('11:46:00'),
  lines: [
    { title: 'Why pending', text: 'LevelTooSmall: 2 x 4 GPUs wanted inside one rack; the best rack has room for 1 workers now' },
    { title: 'Verdict', text: 'honest wait: nobody has to do anything' },
    { title: 'Would start', text: 'now with 1 worker (spec.workers: 1)' },
    { title: 'Would start', text: 'now on\nH100' },
  ],
  remedies: [{ kind: 'FewerWorkers', text: 'with 1 worker', changes: [{ field: 'spec.workers', value: '1' }] }],
};

test('a pending job: the lines of the server, a title that comes again once', async () => {
  bench.server.canned.resources = [jobWith('big', { phase: 'Pending', reason: 'LevelTooSmall', user: 'ada', verdict })];
  const { code, stdout, stderr } = await bench.shoal(['why', 'job/big']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toBe(`Job:           big (queue research, user ada, priority 20)
Phase:         Pending for 14m
Why pending:   LevelTooSmall: 2 x 4 GPUs wanted inside one rack; the best rack has room for 1 workers now
Verdict:       honest wait: nobody has to do anything
Would start:   now with 1 worker (spec.workers: 1)
               now on\\nH100
`);
  expect(bench.server.asked.at(-1)).toMatchObject({
    method: 'get',
    request: { object: { kind: 'TrainingJob', name: 'big' }, verdict: true },
  });
});

test('the same lines stand in describe', async () => {
  bench.server.canned.resources = [jobWith('big', { phase: 'Pending', reason: 'LevelTooSmall', user: 'ada', verdict })];
  const { stdout } = await bench.shoal(['describe', 'job', 'big']);
  expect(stdout).toContain('Phase:         Pending\nWhy pending:   LevelTooSmall: 2 x 4 GPUs');
  expect(stdout).toContain('Would start:   now with 1 worker (spec.workers: 1)\n');
});

test('-o json has the whole verdict; several jobs are a list', async () => {
  bench.server.canned.resources = [
    jobWith('big', { phase: 'Pending', reason: 'LevelTooSmall', message: 'm', verdict }),
    jobWith('done', { phase: 'Succeeded', reason: 'Succeeded', message: 'all ranks exited with 0' }),
  ];
  expect(JSON.parse((await bench.shoal(['why', 'big', '-o', 'json'])).stdout)).toMatchObject({
    job: 'big',
    phase: 'Pending',
    verdict: { class: 'HonestWait', since: '2026-11-23T11:46:00Z', remedies: [{ kind: 'FewerWorkers' }] },
  });
  const several = JSON.parse((await bench.shoal(['why', 'big', 'done', '-o', 'json'])).stdout);
  expect(several).toMatchObject([{ job: 'big' }, { job: 'done', phase: 'Succeeded', message: 'all ranks exited with 0', verdict: null }]);
});

test('a job that runs: since when, on which nodes, inside what, and why it began again', async () => {
  const node = (name: string, rack: string) => nodeWith(name, { inventory: { path: ['z1', 'b1', rack] } });
  const rank = (n: number, on: string) => ({ rank: n, worker: n, node: on, gpus: [0], state: 'Running' });
  bench.server.canned.resources = [
    jobWith('llama', {
      phase: 'Running',
      user: 'ada',
      ranks: [rank(0, 'n1'), rank(1, 'n2')],
      attempts: [
        { number: 1, endedAt: at('11:30:00'), stopReasons: ['NodeFailure'], message: 'node n3 is lost', lastCheckpointStep: 50n },
        { number: 2, startedAt: at('11:30:04') },
      ],
    }),
    node('n1', 'r1'),
    node('n2', 'r1'),
  ];
  expect((await bench.shoal(['why', 'llama'])).stdout).toBe(`Job:         llama (queue research, user ada, priority 20)
Phase:       Running; attempt 2 has run for 29m
Stands on:   2 nodes: n1, n2; inside rack r1
Leaves:      others may ask it to leave (preemptible)
Before:      attempt 1 ended at 2026-11-23T11:30:00Z: NodeFailure: node n3 is lost (not charged; saved at step 50)
`);
});

test('a job that is over, or waits for its user, says why', async () => {
  bench.server.canned.resources = [
    jobWith('dead', {
      phase: 'Failed',
      reason: 'ApplicationFailure',
      message: 'rank 3 exited with 1',
      user: 'ada',
      finishedAt: at('11:00:00'),
    }),
    jobWith('parked', {
      phase: 'Suspended',
      reason: 'Suspended',
      message: 'waits until somebody resumes it (`shoal resume parked`)',
      user: 'ada',
    }),
    jobWith('new', { phase: 'Pending', reason: 'NotLookedAtYet', message: 'the next scheduling pass will look at it', user: 'ada' }),
  ];
  const { code, stdout } = await bench.shoal(['why', 'dead', 'parked', 'new']);
  expect(code).toBe(0);
  expect(stdout).toBe(`Job:       dead (queue research, user ada, priority 20)
Phase:     Failed at 2026-11-23T11:00:00Z
Because:   ApplicationFailure: rank 3 exited with 1

Job:       parked (queue research, user ada, priority 20)
Phase:     Suspended
Because:   Suspended: waits until somebody resumes it (\`shoal resume parked\`)

Job:       new (queue research, user ada, priority 20)
Phase:     Pending
Because:   NotLookedAtYet: the next scheduling pass will look at it
`);
});

test('a name that does not exist is exit code 3 with the nearest one, and the others are still answered', async () => {
  bench.server.canned.resources = [jobWith('llama', { phase: 'Succeeded', finishedAt: at('11:00:00') })];
  const { code, stdout, stderr } = await bench.shoal(['why', 'llmaa', 'llama']);
  expect(code).toBe(3);
  expect(stdout).toContain('Phase:   Succeeded');
  expect(stderr).toContain('jobs "llmaa" not found\nDid you mean "llama"?');
});

test('something that is no job, or no name at all, is wrong usage', async () => {
  expect(await bench.shoal(['why', 'node/n1'])).toMatchObject({ code: 2, stdout: '' });
  expect(await bench.shoal(['why'])).toMatchObject({ code: 2, stdout: '' });
});
