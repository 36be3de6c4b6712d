import { describe, expect, test } from 'vitest';
import { applyJob, applyQueue, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { queueName, userName } from '#vocabulary/ids.ts';
import { usageKey } from '../../queues/usageKey.ts';
import { PromisedQuota } from './promisedQuota.ts';

const queue = queueName('small');
const user = userName('alice');
const holding = (gpuMilli: number) => ({ queue, user, model: 'H100', gpuMilli });

describe('quota that was promised', () => {
  const key = usageKey.queue(queue, 'H100');
  const begin = (): PromisedQuota => new PromisedQuota({ queues: new Map(), usage: new Map([[key, 6_000]]) });

  test('counts a nominee instead of the victims that leave for it', () => {
    const quota = begin();
    quota.keep(holding(4_000), [holding(1_000), holding(1_000)]);
    expect(quota.get(key)).toBe(8_000);
  });

  test('is never less than what is held, though the victims hold more', () => {
    const quota = begin();
    quota.keep(holding(1_000), [holding(4_000)]);
    expect(quota.get(key)).toBe(6_000);
  });

  test('is not taken by others while the victims leave one after the other', () => {
    // Room for all: only the queue's limit makes them wait.
    const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 16 }]);
    cluster.step([applyQueue('small', { limit: { H100: 4 } })]);
    const low = { queue, workers: 2, checkpoint: null };
    cluster.step([applyJob('low1', low), applyJob('low2', low)]);
    cluster.tick();
    cluster.step([applyJob('low3', low), applyJob('high', { queue, workers: 4, priority: 90 })]);
    expect(cluster.placements().find((line) => line.startsWith('high'))).toMatch(/^high waits: .*low1, low2/);
    // The first one has left, the second one still stands.
    for (const worker of [0, 1]) cluster.agent('n1').crashOne(`uid-low1/1/${worker}`, 0);
    cluster.step([{ kind: 'report', node: cluster.agent('n1').name, report: cluster.agent('n1').report() }]);
    expect(cluster.placements().filter((line) => line.startsWith('low'))).toEqual([
      expect.stringMatching(/^low1 /),
      expect.stringMatching(/^low2 n1:/),
      expect.stringMatching(/^low3 waits: /),
    ]);
    cluster.until('high runs', () => cluster.job('high').phase.kind === 'active');
    expect(cluster.job('low3').attempts).toEqual([]);
  });
});
