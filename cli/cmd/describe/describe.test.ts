import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeBench, type Bench } from '../../testing/commandLine.ts';
import { at, jobWith, nodeWith } from '../../testing/objects.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.close());

test('a running job: where each rank is, its attempts and what its GPU time went into', async () => {
  const rank = (n: number, node: string, gpu: number, state: string) => ({
    rank: n,
    worker: n,
    node,
    gpus: [gpu],
    state,
    mesh: { data: Math.floor(n / 2), tensor: n % 2 },
    step: 57n,
  });
  bench.server.canned.resources = [
    jobWith('gpt-tiny', {
      phase: 'Running',
      user: 'ada',
      ranks: [
        rank(2, 'node-2', 0, 'Running'),
        rank(0, 'node-1', 0, 'Running'),
        rank(1, 'node-1', 1, 'Running'),
        rank(3, 'node-2', 1, 'Starting'),
      ],
      progress: { step: 57n, loss: 2.51234, tokens: 58368, tokensPerSecond: 1024.4, stepSeconds: 0.171, at: at('11:59:58') },
      checkpoint: { step: 50n, path: './checkpoints/attempt-1/50', at: at('11:59:30') },
      attempts: [
        {
          number: 1,
          stage: 'Ended',
          startedAt: at('11:00:05'),
          endedAt: at('11:30:00'),
          stopReasons: ['NodeFailure'],
          message: 'node-3 is lost',
          lastStep: 52n,
          placement: [
            { worker: 0, node: 'node-1' },
            { worker: 1, node: 'node-3' },
          ],
        },
        {
          number: 2,
          stage: 'Running',
          startedAt: at('11:30:04'),
          resumedFromStep: 50n,
          lastStep: 57n,
          placement: [{ worker: 0, node: 'node-1' }],
        },
      ],
      ledger: { productive: 7_200_000_000n, lost: 800_500_000n },
    }),
    {
      object: {
        case: 'event',
        value: {
          metadata: { name: 'e1' },
          object: { kind: 'TrainingJob', name: 'gpt-tiny' },
          type: 'Warning',
          reason: 'NodeFailure',
          message: 'attempt 1 ended:\nnode-3 is lost',
          at: at('11:30:00'),
        },
      },
    },
  ];
  const { code, stdout, stderr } = await bench.shoal(['describe', 'job', 'gpt-tiny']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toBe(`Name:          gpt-tiny
UID:           uid-gpt-tiny
Labels:        project=assistant
User:          ada
Created:       2026-11-23T11:00:00Z
Phase:         Running
Queue:         research
Priority:      20
Workers:       4 x 1 GPUs
Mesh:          data=2, tensor=2
Checkpoints:   ./checkpoints, keep 3
Restarts:      at most 3 within 1h
Command:       python train.py --name 'a b'
Placement:
  Rank   Node     GPU   State      Step   Mesh
  0      node-1   0     Running    57     data=0, tensor=0
  1      node-1   1     Running    57     data=0, tensor=1
  2      node-2   0     Running    57     data=1, tensor=0
  3      node-2   1     Starting   57     data=1, tensor=1
Progress:      step 57, loss 2.5123, 58368 tokens, 1024 tokens/s, 0.171 s/step (at 2026-11-23T11:59:58Z)
Checkpoint:    step 50 in ./checkpoints/attempt-1/50 (at 2026-11-23T11:59:30Z)
Attempts:
  Attempt   Stage     Started                Ended                  Steps   Nodes           Reasons       Charged   Message
  1         Ended     2026-11-23T11:00:05Z   2026-11-23T11:30:00Z   0-52    node-1,node-3   NodeFailure   no        node-3 is lost
  2         Running   2026-11-23T11:30:04Z   -                      50-57   node-1          -             no        -
GPU time:
  Category     GPU-seconds   Share
  lost         800.5         10.0%
  productive   7200          89.9%
  total        8000.5        100.0%
Events:
  Type      Reason        Age   Message
  Warning   NodeFailure   30m   attempt 1 ended:\\nnode-3 is lost
`);
});

test('a pending job says why it waits', async () => {
  bench.server.canned.resources = [
    jobWith('big', { phase: 'Pending', reason: 'InsufficientGpus', message: '4 x 1 GPUs wanted; 2 of 4 workers fit now (2 GPUs free)' }),
  ];
  const { stdout } = await bench.shoal(['describe', 'job/big']);
  expect(stdout).toContain(
    'Phase:         Pending\nWhy pending:   InsufficientGpus: 4 x 1 GPUs wanted; 2 of 4 workers fit now (2 GPUs free)\n',
  );
  expect(stdout).toContain(
    'Placement:     <none>\nProgress:      <none reported>\nCheckpoint:    <none>\nAttempts:      <none>\nGPU time:      <none>\nEvents:        <none>\n',
  );
});

test('an elastic job says how large it is, how large it can be, and what it is about to become', async () => {
  const spec = { workers: 8, mesh: {}, elastic: { minWorkers: 2, maxWorkers: 16 } };
  const workersOf = async (status: Parameters<typeof jobWith>[1]): Promise<string | undefined> => {
    bench.server.canned.resources = [jobWith('sweep', status, spec)];
    const { stdout } = await bench.shoal(['describe', 'job/sweep']);
    return stdout.split('\n').find((line) => line.startsWith('Workers:'));
  };
  expect(await workersOf({ phase: 'Pending' })).toBe('Workers:       8 x 1 GPUs (elastic: 2 to 16, asks for 8)');
  expect(await workersOf({ phase: 'Running', workers: 6 })).toBe('Workers:       6 x 1 GPUs (elastic: 2 to 16, asks for 8)');
  expect(await workersOf({ phase: 'Suspending', workers: 6, resize: { workers: 5, message: 'others wait for what it gives back' } })).toBe(
    'Workers:       6 x 1 GPUs (elastic: 2 to 16, asks for 8; goes on with 5: others wait for what it gives back)',
  );
});

test('a cordoned node says by whom and why, and lists its devices', async () => {
  bench.server.canned.resources = [
    nodeWith('node-1', {
      state: 'Ready',
      connected: true,
      lastSeenAt: at('11:59:59'),
      cordon: { owner: 'ada', reason: 'new cable', at: at('11:50:00') },
      inventory: {
        address: '127.0.0.1',
        path: ['z1', 'b1', 'r1'],
        cpuMilli: 2500,
        memoryBytes: 68719476736n,
        os: 'linux',
        bootId: 'b',
        agentVersion: '0.1.0',
        gpus: [{ index: 0 }, { index: 1 }],
      },
      gpusUsed: 1,
      gpusHealthy: 1,
      jobs: ['gpt-tiny'],
      gpus: [
        {
          info: { index: 0, uuid: 'GPU-0', model: 'H100', nvlinkDomain: 0 },
          health: 'Healthy',
          job: 'gpt-tiny',
          ranks: [0, 1, 2],
          sample: { utilizationPercent: 93 },
        },
        { info: { index: 1, uuid: 'GPU-1', model: 'H100' }, health: 'Unhealthy', healthMessage: 'xid:79' },
      ],
    }),
  ];
  expect((await bench.shoal(['describe', 'node', 'node-1'])).stdout).toBe(`Name:        node-1
Labels:      <none>
Created:     2026-11-23T10:00:00Z
State:       Ready
Connected:   yes, last seen 2026-11-23T11:59:59Z
Cordoned:    by ada at 2026-11-23T11:50:00Z: new cable
Draining:    no
Address:     127.0.0.1
Topology:    zone=z1, block=b1, rack=r1
CPU:         2500m
Memory:      64Gi
System:      linux
Boot ID:     b
Agent:       0.1.0
GPUs:        1 used, 1 healthy, 2 in all
Jobs:        gpt-tiny
Devices:
  GPU   Model   UUID    NVLink   Health               Util   Job        Ranks
  0     H100    GPU-0   0        Healthy              93%    gpt-tiny   0-2
  1     H100    GPU-1   -        Unhealthy (xid:79)   -      -          -
Events:      <none>
`);
});

test('a queue shows what it holds of its limits', async () => {
  bench.server.canned.resources = [
    {
      object: {
        case: 'queue',
        value: {
          metadata: { name: 'research', creationTimestamp: at('09:00:00') },
          spec: { parent: 'root', guaranteed: { H100: 2 }, limit: { H100: 8 }, weight: 3, halfLife: '7d', perUser: { maxRunning: 2 } },
          status: { running: 1, pending: 3, used: { H100: 4 }, usedMilli: { H100: 3500 }, share: 0.25 },
        },
      },
    },
  ];
  expect((await bench.shoal(['describe', 'q/research'])).stdout).toBe(`Name:        research
Labels:      <none>
Created:     2026-11-23T09:00:00Z
Parent:      root
Class:       batch
Held:        no
Weight:      3
Share:       0.250
Half-life:   7d
Each user:   2 running jobs
Jobs:        1 running, 3 pending
GPUs:
  Model   Used   Guaranteed   Limit
  H100    3.5    2            8
Events:      <none>
`);
});

test('a name that does not exist is exit code 3 with the nearest one', async () => {
  bench.server.canned.resources = [jobWith('llama', {})];
  expect(await bench.shoal(['describe', 'job', 'llmaa'])).toEqual({
    code: 3,
    stdout: '',
    stderr: 'Error from server (NotFound): jobs "llmaa" not found\nDid you mean "llama"?\nList them: shoal get jobs\n',
  });
});
