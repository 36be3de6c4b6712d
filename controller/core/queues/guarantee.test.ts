import { describe, expect, test } from 'vitest';
import type { Reply } from '#core/inputs.ts';
import { apply } from '#core/state/apply.ts';
import { parseLine } from '#controller/loop/logLine.ts';
import { applyQueue, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { queueName } from '#vocabulary/ids.ts';

const print = (reply: Reply | undefined): string =>
  reply?.kind === 'refused' ? `${reply.field}: ${reply.message}` : reply?.kind === 'applied' ? reply.outcome : (reply?.kind ?? '');
const h800 = (gpus: number) => ({ H800: gpus });
const org = queueName('org');

/** As in the manifests of docs/concepts/queues.md: org has a limit only. */
function cluster(): FakeCluster {
  const one = new FakeCluster({ racks: 1, nodesPerRack: 1, gpus: 4 });
  const replies = one.step([
    applyQueue('org', { limit: h800(2048) }),
    applyQueue('serving', { parent: org, guaranteed: h800(544) }),
    applyQueue('research', { parent: org, guaranteed: h800(1024), weight: 3, halfLifeMs: 604_800_000 }),
  ]);
  expect(replies.map(print)).toEqual(['created', 'created', 'created']);
  return one;
}

describe('a guarantee is refused', () => {
  test.each([
    [
      'above the queue’s own limit',
      applyQueue('a', { guaranteed: h800(3), limit: h800(2) }),
      'spec.guaranteed.H800: 3 is more than spec.limit.H800 2; allowed: at most 2',
    ],
    [
      'above what the limit over it leaves',
      applyQueue('a', { parent: org, guaranteed: h800(500) }),
      'spec.guaranteed.H800: 500 is too much: queue org may hold 2048 H800, of which 1568 are guaranteed to others below it; allowed: at most 480',
    ],
    [
      'two levels below the limit too',
      applyQueue('nlp', { parent: queueName('serving'), guaranteed: h800(545) }),
      'spec.guaranteed.H800: 545 is too much: queue serving is guaranteed 544 H800, of which 0 are guaranteed to others below it; allowed: at most 544',
    ],
    [
      'lowered below what its children are guaranteed',
      applyQueue('org', { guaranteed: h800(1000), limit: h800(2048) }),
      'spec.guaranteed.H800: 1000 is too little: the queues below it (research, serving) are guaranteed 1568; allowed: at least 1568',
    ],
    [
      'with its limit lowered below them',
      applyQueue('org', { limit: h800(1567) }),
      'spec.limit.H800: 1567 is too little: the queues below it (research, serving) are guaranteed 1568; allowed: at least 1568',
    ],
    [
      'and a model with a dot is quoted',
      applyQueue('a', { guaranteed: { 'A.1': 2 }, limit: { 'A.1': 1 } }),
      'spec.guaranteed["A.1"]: 2 is more than spec.limit["A.1"] 1; allowed: at most 1',
    ],
  ])('%s', (_, request, want) => {
    const one = cluster();
    const before = JSON.stringify([...one.view.queues]);
    expect(one.step([request]).map(print)).toEqual([want]);
    expect(JSON.stringify([...one.view.queues])).toBe(before);
  });
});

test('guarantees are taken as they are where nothing above bounds them, and up to the bound where it does', () => {
  const one = cluster();
  expect(
    one
      .step([
        applyQueue('root'),
        applyQueue('a', { parent: queueName('root'), guaranteed: h800(1_000_000) }),
        applyQueue('b', { parent: org, guaranteed: h800(480) }),
        applyQueue('org', { guaranteed: h800(2048), limit: h800(2048) }),
        applyQueue('org', { limit: { A100: 0 } }),
        applyQueue('b', { parent: org, guaranteed: h800(10_000) }),
      ])
      .map(print),
  ).toEqual(['created', 'created', 'created', 'configured', 'configured', 'configured']);
});

test('a queue of a log from before fair shares is the same as one of which nothing is said', () => {
  const one = cluster();
  const old = { parent: null, limit: {}, perUser: { limit: {}, maxRunning: null }, unserved: { 'spec.weight': '3' } };
  const line = `1 ${JSON.stringify({ kind: 'QueueApplied', name: 'old', labels: {}, spec: old, atMs: one.nowMs })}`;
  apply(one.state, parseLine(line), 100);
  expect(one.step([applyQueue('old')]).map(print)).toEqual(['unchanged']);
});
