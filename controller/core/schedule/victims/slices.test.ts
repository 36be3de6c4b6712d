import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { applyJob, FakeCluster, policy } from '#test/simulation/fakeCluster.ts';
import { userName } from '#vocabulary/ids.ts';
import type { Claim } from '../../queues/entitlement.ts';
import { hadLess } from '../../queues/entitlement.ts';
import { Standings } from '../../queues/standing.ts';
import { currentAttempt } from '../../state/state.ts';
import { awaitsSaveOf } from './awaitsSave.ts';
import { Slices } from './slices.ts';

const minuteMs = 60_000;
const users = ['alice', 'bob', 'carol'];

/** Jobs that run, each placed some minutes after the one before, and when the last one had run for a while. */
const stories = fc.record({
  jobs: fc.array(
    fc.record({
      user: fc.constantFrom(...users),
      gpus: fc.integer({ min: 1, max: 4 }),
      priority: fc.constantFrom(10, 20),
      preemptible: fc.nat(5).map((one) => one > 0),
      minRuntimeMs: fc.constantFrom(0, 100 * minuteMs),
      afterMinutes: fc.nat(60),
    }),
    { minLength: 1, maxLength: 8 },
  ),
  restMinutes: fc.nat(400),
  waiting: fc.array(fc.record({ user: fc.constantFrom(...users), level: fc.integer({ min: -1, max: 3 }), sinceMinutes: fc.nat(500) }), {
    minLength: 1,
    maxLength: 6,
  }),
});

function run(story: typeof stories extends fc.Arbitrary<infer T> ? T : never) {
  const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 40 }]);
  const beganMs = cluster.nowMs;
  for (const [index, { user, gpus, afterMinutes, ...spec }] of story.jobs.entries()) {
    cluster.nowMs += afterMinutes * minuteMs;
    cluster.step([applyJob(`j${index}`, { gpusPerWorker: gpus, ...spec }, user)]);
  }
  // Each saved once, in an attempt long ago.
  for (const job of cluster.state.jobs.values()) job.checkpoint = { step: 1, path: '', atMs: 0, attempt: 0 };
  cluster.nowMs += story.restMinutes * minuteMs;
  const slicesAt = (nowMs: number) => {
    const standings = new Standings({ state: cluster.view, context: { nowMs, policy } }, { firsts: () => [] });
    const running = [...cluster.view.jobs.values()].flatMap((victim) => {
      const attempt = currentAttempt(victim);
      if (attempt === undefined) return [];
      const { queue, priority, preemptible, gpusPerWorker } = victim.spec;
      const standing = standings.running(victim, attempt);
      const claim: Claim = { queue, user: victim.user, priority, preemptible, model: 'H100', gpuMilli: gpusPerWorker * 1000, standing };
      return [{ victim, claim }];
    });
    return { running, slices: new Slices(running, standings) };
  };
  const [first] = slicesAt(cluster.nowMs).running;
  const nominees = story.waiting.map(({ user, level, sinceMinutes }): Claim => {
    if (first === undefined) throw new Error('nobody runs');
    const standing = {
      level,
      waitsSinceMs: Math.min(cluster.nowMs, beganMs + sinceMinutes * minuteMs),
      yieldsToMs: -Infinity,
      isSafe: false,
    };
    return { ...first.claim, user: userName(user), priority: 20, standing };
  });
  return { state: cluster.state, nowMs: cluster.nowMs, slicesAt, nominees };
}

const yields = (nominee: Claim, victim: Claim): boolean =>
  victim.priority === nominee.priority && victim.user !== nominee.user && victim.preemptible && hadLess(nominee, victim);

test('the chances are those that looking at everybody who runs gives', () => {
  fc.assert(
    fc.property(stories, (story) => {
      const { nowMs, slicesAt, nominees } = run(story);
      const { running, slices } = slicesAt(nowMs);
      for (const nominee of nominees) {
        const victims = running.filter(({ claim }) => yields(nominee, claim));
        const gpuMilli = victims.reduce((sum, { claim }) => sum + claim.gpuMilli, 0);
        expect(slices.chances(nominee)).toMatchObject({ count: victims.length, gpuMilli });
      }
    }),
    { numRuns: cases(300) },
  );
});

test('until the time that it wakes at, and without a save, nobody comes to yield to those who missed', () => {
  let woken = 0;
  fc.assert(
    fc.property(stories, fc.double({ min: 0, max: 1, noNaN: true }), (story, part) => {
      const { state, nowMs, slicesAt, nominees } = run(story);
      const { running, slices } = slicesAt(nowMs);
      for (const nominee of nominees) slices.missed(nominee);
      const wakeAtMs = slices.wakeAtMs ?? nowMs + 10 * 24 * 60 * minuteMs;
      expect(wakeAtMs).toBeGreaterThan(nowMs);
      const pairs = (at: number): readonly string[] =>
        slicesAt(at).running.flatMap(({ victim, claim }) =>
          nominees.flatMap((nominee, index) =>
            yields(nominee, claim) && at >= (currentAttempt(victim)?.placedAtMs ?? 0) + victim.spec.minRuntimeMs
              ? [`${victim.name} ${index}`]
              : [],
          ),
        );
      const before = pairs(nowMs);
      expect(pairs(nowMs + Math.floor((wakeAtMs - 1 - nowMs) * part))).toEqual(before);
      if (slices.wakeAtMs !== null && pairs(wakeAtMs).length > before.length) woken += 1;
      for (const { victim } of running) {
        const record = state.jobs.get(victim.uid);
        const isDue = record !== undefined && awaitsSaveOf(policy, slices.missedBy).dueAtMs(record, nowMs) === nowMs;
        if (record !== undefined && !isDue) record.checkpoint = { step: 1, path: '', atMs: nowMs, attempt: 1 };
      }
      expect(pairs(nowMs)).toEqual(before);
    }),
    { numRuns: 300 },
  );
  expect(woken).toBeGreaterThan(30);
});
