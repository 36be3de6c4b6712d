import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { readLedger } from '#core/ledger/readLedger.ts';
import { ledgerCategories } from '#core/ledger/amounts.ts';
import { parseLine, parseSnapshot, printLine } from '#controller/loop/logLine.ts';
import { restoreSnapshot, printSnapshot } from '#core/state/snapshot.ts';
import { findBrokenPromises } from '#core/invariants.ts';
import { applyJob, disturb, FakeCluster, policy } from './fakeCluster.ts';
import { makePeace } from './makePeace.ts';
import { createRandom } from '#sim/random.ts';

const seeds = Array.from({ length: cases(40) }, (_, index) => index + 1);

/** A few racks, some jobs, and trouble for two minutes; then peace until everything has ended. */
function live(seed: number): { readonly cluster: FakeCluster; readonly story: string[] } {
  const random = createRandom(seed);
  const cluster = new FakeCluster({ racks: 2, nodesPerRack: 2, gpus: 4 });
  const story: string[] = [];
  for (let second = 0; second < 120; second += 1) {
    if (random.chance(0.15)) {
      const name = `j${second}`;
      const workers = 1 + random.below(4);
      cluster.step([
        applyJob(name, { workers, gpusPerWorker: random.below(4), priority: random.below(100), restarts: { max: 50, withinMs: null } }),
      ]);
      story.push(`${second}: apply ${name} of ${workers}`);
    }
    if (random.chance(0.2)) story.push(`${second}: ${disturb(cluster, random)}`);
    cluster.tick();
  }
  makePeace(cluster);
  cluster.until('every job has finished', () => [...cluster.view.jobs.values()].every((job) => job.phase.kind === 'finished'), 2_000);
  return { cluster, story };
}

describe('whatever goes wrong', () => {
  test.each(seeds)('seed %i: no promise is broken, every job ends, and nothing starts twice', (seed) => {
    const { cluster, story } = live(seed);
    const failed = [...cluster.view.jobs.values()].filter((job) => job.phase.kind === 'finished' && job.phase.outcome === 'Failed');
    expect(
      failed.map((job) => job.name),
      story.join('\n'),
    ).toEqual([]);
    for (const agent of cluster.agents) expect(new Set(agent.started).size).toBe(agent.started.length);
  });

  test('the machine is never charged to the user', () => {
    for (const seed of seeds.slice(0, 10)) {
      for (const job of live(seed).cluster.view.jobs.values()) {
        const charged = job.attempts.filter((attempt) => attempt.end?.charged === true);
        expect(charged.every((attempt) => attempt.end?.reasons[0] === 'ApplicationFailure')).toBe(true);
        expect(charged.length).toBe(job.restarts.applicationAtMs.length);
      }
    }
  });

  test('the same seed gives the same log, byte for byte', () => {
    const print = (seed: number): string => live(seed).cluster.log.map(printLine).join('\n');
    expect(print(3)).toBe(print(3));
    expect(print(3)).not.toBe(print(4));
  });

  test('the log alone gives the same state, also through its printed lines', () => {
    for (const seed of seeds.slice(0, 10)) {
      const { cluster } = live(seed);
      const wantSnapshot = printSnapshot(cluster.view);
      expect(cluster.replay()).toBe(wantSnapshot);
      expect(cluster.log.map((event) => parseLine(printLine(event)))).toEqual(cluster.log);
    }
  });

  test('a state goes through a snapshot whole, in the middle of everything', () => {
    for (const seed of seeds.slice(0, 10)) {
      const random = createRandom(seed);
      const cluster = new FakeCluster({ racks: 2, nodesPerRack: 2, gpus: 4 });
      for (let second = 0; second < 40; second += 1) {
        if (random.chance(0.3)) cluster.step([applyJob(`j${second}`, { workers: 1 + random.below(3) })]);
        if (random.chance(0.2)) disturb(cluster, random);
        cluster.tick();
        const body = printSnapshot(cluster.view);
        const restored = restoreSnapshot(parseSnapshot(body));
        expect(printSnapshot(restored)).toBe(body);
        expect(findBrokenPromises(restored, policy)).toEqual([]);
        expect(restored.usage).toEqual(cluster.state.usage);
        expect(restored.ports).toEqual(cluster.state.ports);
        expect(restored.pending).toEqual(cluster.state.pending);
      }
    }
  });

  test('a step with nothing new gives no event', () => {
    const { cluster } = live(5);
    cluster.state.scheduleDirty = true;
    const before = cluster.log.length;
    cluster.step([]);
    cluster.step([{ kind: 'tick' }]);
    expect(cluster.log.length).toBe(before);
  });

  test('the ledger sums to capacity x time, exactly, also between events', () => {
    for (const seed of seeds.slice(0, 10)) {
      const { cluster } = live(seed);
      const nowMs = cluster.nowMs + 12_345;
      const { amounts, capacity } = readLedger(cluster.view, nowMs);
      const sum = ledgerCategories.reduce((total, category) => total + amounts[category], 0n);
      expect(sum).toBe(capacity);
      const bornAtMs = 1_000_000;
      expect(capacity).toBe(BigInt(cluster.agents.length * 4) * BigInt(nowMs - bornAtMs) * 1000n);
    }
  });
});
