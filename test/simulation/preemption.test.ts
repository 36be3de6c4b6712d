import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { parseLine, parseSnapshot, printLine } from '#controller/loop/logLine.ts';
import { findBrokenPromises } from '#core/invariants.ts';
import { readLedger } from '#core/ledger/readLedger.ts';
import { printSnapshot, restoreSnapshot } from '#core/state/snapshot.ts';
import { policy } from './fakeCluster.ts';
import { beginStory, liveSecond, liveStory } from './story.ts';

/** The promises are checked after every step, by the cluster itself. */
const seeds = Array.from({ length: cases(40) }, (_, index) => index + 1);

describe('jobs that want each other’s places, whatever goes wrong', () => {
  test.each(seeds)('seed %i: every job ends well, nothing starts twice, and no promise of a place is left over', (seed) => {
    const { cluster, story } = liveStory(seed);
    for (const job of cluster.view.jobs.values()) {
      expect(job.phase.kind === 'finished' && job.phase.outcome, `${job.name}\n${story.join('\n')}`).toBe('Succeeded');
      expect(job.nomination).toBeNull();
    }
    for (const agent of cluster.agents) expect(new Set(agent.started).size).toBe(agent.started.length);
  });

  test('the stories are about it: nominees, victims that leave, and such that run on; and GPUs that are kept', () => {
    const kinds = new Map<string, number>();
    let dropped = 0;
    let withReserved = 0;
    for (const seed of seeds.slice(0, 15)) {
      const { cluster } = liveStory(seed);
      if (readLedger(cluster.view, cluster.nowMs).amounts.reserved > 0n) withReserved += 1;
      for (const event of cluster.log) {
        kinds.set(event.kind, (kinds.get(event.kind) ?? 0) + 1);
        if (event.kind === 'NominationDropped' && event.message.startsWith('the place')) dropped += 1;
      }
    }
    for (const kind of ['JobNominated', 'SuspendCancelled', 'NodeLost', 'GpuHealthChanged'])
      expect(kinds.get(kind), kind).toBeGreaterThan(5);
    expect(dropped).toBeGreaterThan(0);
    expect(withReserved).toBeGreaterThan(5);
  });

  test('nobody is asked to leave who may not be', () => {
    for (const seed of seeds.slice(0, 15)) {
      const { cluster, random } = beginStory(seed);
      let seen = 0;
      for (let second = 0; second < 90; second += 1) {
        liveSecond(cluster, random, second);
        for (const event of cluster.log.slice(seen)) {
          if (event.kind !== 'SuspendStaged' || event.reason !== 'Preempted' || event.stage.kind !== 'ask') continue;
          const job = cluster.view.jobs.get(event.uid);
          const placedAtMs = job?.attempts.find((attempt) => attempt.number === event.attempt)?.placedAtMs ?? 0;
          if (job === undefined) continue;
          expect(job.spec.preemptible, job.name).toBe(true);
          expect(event.atMs, job.name).toBeGreaterThanOrEqual(placedAtMs + job.spec.minRuntimeMs);
        }
        seen = cluster.log.length;
      }
    }
  });

  test('the same seed gives the same log, and the log gives the same state', () => {
    for (const seed of seeds.slice(0, 5)) {
      const { cluster } = liveStory(seed);
      const printed = cluster.log.map(printLine);
      expect(liveStory(seed).cluster.log.map(printLine)).toEqual(printed);
      expect(cluster.replay()).toBe(printSnapshot(cluster.view));
      expect(printed.map(parseLine)).toEqual(cluster.log);
    }
  });

  test('a state with promised places goes through a snapshot whole, and a step with nothing new adds nothing to it', () => {
    let nominations = 0;
    for (const seed of seeds.slice(0, 10)) {
      const { cluster, random } = beginStory(seed);
      for (let second = 0; second < 60; second += 1) {
        liveSecond(cluster, random, second);
        const waiting = [...cluster.view.jobs.values()].filter((job) => job.nomination !== null);
        nominations += waiting.length;
        // The first of two passes may see what does not call for one by itself, such as a gang that began to stop.
        cluster.state.scheduleDirty = true;
        cluster.step([]);
        const events = cluster.log.length;
        cluster.state.scheduleDirty = true;
        cluster.step([]);
        expect(cluster.log.slice(events), `seed ${seed} second ${second}`).toEqual([]);
        const body = printSnapshot(cluster.view);
        const restored = restoreSnapshot(parseSnapshot(body));
        expect(printSnapshot(restored)).toBe(body);
        expect(findBrokenPromises(restored, policy)).toEqual([]);
        for (const job of waiting) expect(restored.jobs.get(job.uid)?.nomination).toEqual(job.nomination);
      }
    }
    expect(nominations).toBeGreaterThan(20);
  });
});
