import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { NodeSchema } from '#gen/shoal/v1/node_pb.js';
import { TrainingJobSchema, type TrainingJob } from '#gen/shoal/v1/training_job_pb.js';
import { blockOf, movesBetween, stepsLost, summaryOf } from './jobView.ts';

const at = (seconds: number): { seconds: bigint; nanos: number } => ({ seconds: BigInt(seconds), nanos: 0 });
const places = (...nodes: readonly string[]): { worker: number; node: string }[] => nodes.map((node, worker) => ({ worker, node }));

function interrupted(): TrainingJob {
  return create(TrainingJobSchema, {
    metadata: { name: 'gpt-tiny' },
    status: {
      phase: 'Succeeded',
      attempts: [
        {
          number: 1,
          stopReasons: ['NodeFailure', 'ApplicationFailure'],
          lastStep: 97n,
          lastCheckpointStep: 80n,
          placedAt: at(100),
          endedAt: at(130),
          placement: places('n1', 'n1', 'n2', 'n2'),
        },
        {
          number: 2,
          stopReasons: ['Succeeded'],
          resumedFromStep: 80n,
          lastStep: 200n,
          placedAt: at(131),
          endedAt: at(171),
          placement: places('n1', 'n1', 'n3', 'n3'),
        },
      ],
      restarts: { application: 0, infrastructure: 1 },
      ledger: { productive: 240_500_000n, recomputed: 14_000_000n, idle: 0n },
    },
  });
}

test('the summary has each attempt with its reason, the steps lost and where GPU time went', () => {
  expect(summaryOf(interrupted()).join('\n')).toMatchInlineSnapshot(`
    "Job gpt-tiny: Succeeded

    Attempt   Steps    Nodes   Seconds   Charged   Reasons
    1         0-97     n1,n2   30.0      no        NodeFailure, ApplicationFailure
    2         80-200   n1,n3   40.0      no        Succeeded

    Steps lost       17
    Charged to user  0 of 1 restarts

    GPU-seconds
      productive     240.5
      recomputed     14"
  `);
});

test('only workers that changed their node have moved', () => {
  const [before, after] = interrupted().status?.attempts ?? [];
  if (before === undefined || after === undefined) throw new Error('two attempts are wanted');
  expect(movesBetween(before, after)).toEqual(['rank 2: n2 → n3', 'rank 3: n2 → n3']);
  expect(stepsLost(before, after)).toBe(17n);
});

test('the block has the job, each rank and each node; a lost node stands out', () => {
  const job = create(TrainingJobSchema, {
    metadata: { name: 'gpt-tiny' },
    status: {
      phase: 'Running',
      attempts: [{ number: 1 }],
      progress: { step: 97n, loss: 2.41234, tokensPerSecond: 9812.4 },
      checkpoint: { step: 80n },
      ranks: [
        { rank: 1, node: 'n1', gpus: [1], state: 'Running', step: 97n, mesh: { data: 0, tensor: 1 } },
        { rank: 0, node: 'n1', gpus: [0], state: 'Running', step: 96n, mesh: { data: 0, tensor: 0 } },
      ],
    },
  });
  const nodes = [
    create(NodeSchema, { metadata: { name: 'n1' }, status: { state: 'Ready', gpusUsed: 2, inventory: { gpus: [{}, {}] } } }),
    create(NodeSchema, { metadata: { name: 'n2' }, status: { state: 'Lost' } }),
  ];
  const { lines, summary } = blockOf(job, nodes);
  expect(`${lines.join('\n')}\n${summary}`).toMatchInlineSnapshot(`
    "
      gpt-tiny · Running · attempt 1 · step 97 · loss 2.4123 · 9812 tokens/s · 2 GPUs · checkpoint 80
        rank 0  n1/0   Running   step 96    data 0 tensor 0
        rank 1  n1/1   Running   step 97    data 0 tensor 1
      n1 2/2 GPUs   n2 LOST
      gpt-tiny · Running · attempt 1 · step 97 · loss 2.4123 · 9812 tokens/s · 2 GPUs · checkpoint 80 · r0 n1 Running, r1 n1 Running"
  `);
});

test('a job that waits says why', () => {
  const job = create(TrainingJobSchema, {
    metadata: { name: 'gpt-tiny' },
    status: { phase: 'Pending', message: '4 x 1 GPUs wanted; 2 of 4 workers fit now' },
  });
  expect(blockOf(job, []).summary).toContain('Pending · 4 x 1 GPUs wanted; 2 of 4 workers fit now');
});
