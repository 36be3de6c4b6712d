import fc from 'fast-check';
import { expect, test } from 'vitest';
import { printSnapshot, restoreSnapshot } from '#core/state/snapshot.ts';
import { parseSnapshot } from '#controller/loop/logLine.ts';
import { step } from '#core/step.ts';
import { cases, longest } from '#test/cases.ts';
import { queueName, userName } from '#vocabulary/ids.ts';
import { applyJob, applyQueue, FakeCluster, policy } from './fakeCluster.ts';

const queues = ['red', 'blue', 'green'] as const;

const anyJob = fc.record(
  {
    queue: fc.constantFrom(...queues),
    user: fc.constantFrom('ann', 'bob'),
    priority: fc.constantFrom(10, 20, 30),
    workers: fc.integer({ min: 1, max: 4 }),
    gpusPerWorker: fc.integer({ min: 1, max: 3 }),
    preemptible: fc.boolean(),
    runsFor: fc.option(fc.integer({ min: 5, max: 40 }), { nil: null }),
    rack: fc.boolean(),
    /** Alike but for their names: those behind one that was refused are not looked at (schedule/waiting/kin.ts). */
    copies: fc.constantFrom(1, 1, 1, 2, 4),
    /** Workers that it can have more; two less; absent: it has one size. */
    elastic: fc.integer({ min: 0, max: 6 }),
  },
  { requiredKeys: ['queue', 'user', 'priority', 'workers', 'gpusPerWorker', 'preemptible', 'runsFor', 'rack', 'copies'] },
);

const anyDeed = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('apply' as const), jobs: fc.array(anyJob, { minLength: 1, maxLength: 4 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('tick' as const), seconds: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), nth: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cordon' as const), node: fc.integer({ min: 0, max: 3 }), drain: fc.boolean() }) },
);

function applyAny(name: string, job: typeof anyJob extends fc.Arbitrary<infer J> ? J : never): ReturnType<typeof applyJob> {
  const { queue, user, workers, gpusPerWorker, priority, preemptible, runsFor, rack } = job;
  const elastic = job.elastic === undefined ? null : { minWorkers: Math.max(1, workers - 2), maxWorkers: workers + job.elastic };
  const constraints = rack ? [{ level: 'rack', mode: 'required' as const, waitMs: null }] : [];
  const maxRuntimeMs = runsFor === null ? null : runsFor * 1_000;
  const spec = { queue: queueName(queue), workers, gpusPerWorker, priority, preemptible, maxRuntimeMs, constraints, elastic };
  return applyJob(name, spec, user);
}

/** Found by the property when no second look was due (schedule/secondLook.ts). */
const found: (typeof anyDeed extends fc.Arbitrary<infer D> ? D : never)[] = [
  {
    kind: 'apply',
    jobs: [
      { queue: 'red', user: 'ann', priority: 10, workers: 3, gpusPerWorker: 1, preemptible: false, runsFor: 5, rack: false, copies: 1 },
    ],
  },
  {
    kind: 'apply',
    jobs: [
      { queue: 'red', user: 'ann', priority: 10, workers: 4, gpusPerWorker: 1, preemptible: false, runsFor: null, rack: false, copies: 1 },
      {
        queue: 'green',
        user: 'ann',
        priority: 10,
        workers: 2,
        gpusPerWorker: 3,
        preemptible: false,
        runsFor: null,
        rack: false,
        copies: 1,
      },
    ],
  },
  {
    kind: 'apply',
    jobs: [
      { queue: 'red', user: 'ann', priority: 30, workers: 1, gpusPerWorker: 1, preemptible: false, runsFor: null, rack: false, copies: 1 },
      { queue: 'green', user: 'ann', priority: 30, workers: 2, gpusPerWorker: 1, preemptible: true, runsFor: null, rack: false, copies: 1 },
      { queue: 'green', user: 'ann', priority: 10, workers: 1, gpusPerWorker: 1, preemptible: true, runsFor: null, rack: false, copies: 1 },
    ],
  },
  {
    kind: 'apply',
    jobs: [
      { queue: 'red', user: 'ann', priority: 30, workers: 1, gpusPerWorker: 1, preemptible: false, runsFor: null, rack: false, copies: 1 },
      {
        queue: 'green',
        user: 'ann',
        priority: 30,
        workers: 4,
        gpusPerWorker: 1,
        preemptible: false,
        runsFor: null,
        rack: false,
        copies: 1,
      },
    ],
  },
  { kind: 'cordon', node: 0, drain: false },
  { kind: 'tick', seconds: 1 },
  {
    kind: 'apply',
    jobs: [
      { queue: 'red', user: 'ann', priority: 10, workers: 1, gpusPerWorker: 1, preemptible: false, runsFor: null, rack: false, copies: 1 },
    ],
  },
  { kind: 'tick', seconds: 1 },
  { kind: 'cordon', node: 0, drain: false },
  { kind: 'tick', seconds: 1 },
];

/** To a state that was just read back every waiting job is a stranger, so that a pass looks at each of them. */
function expectNothingElseWhenAllAreLookedAt({ state, waits, nowMs }: FakeCluster): void {
  const restored = restoreSnapshot(parseSnapshot(printSnapshot(state)));
  restored.movesFromMs = state.movesFromMs;
  const result = step(restored, [], { nowMs, policy: { ...policy, ...changes } });
  expect(result.events).toEqual([]);
  for (const uid of state.pending) expect(waits.get(uid)?.kind).toBe(result.waits?.get(uid)?.kind);
}

const changes = { targetAfterMs: 10_000, targetGpusMin: 3, restartCostMs: 2_000, growAfterIdleMs: 2_000, growRestMs: 4_000 };

test(
  'a pass right after a pass decides nothing: with queues, guarantees, limits, victims, moves, sizes, reservations and targets',
  () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.array(anyDeed, { minLength: 6, maxLength: 25 }), (deeds) => {
        const cluster = new FakeCluster({ racks: 2, nodesPerRack: 2, gpus: 3 }, changes);
        cluster.step([
          applyQueue('red', { guaranteed: { H100: 4 } }),
          applyQueue('blue', { guaranteed: { H100: 3 }, limit: { H100: 8 } }),
          applyQueue('green', { weight: 2, limit: { H100: 9 } }),
        ]);
        for (const [index, deed] of deeds.entries()) {
          switch (deed.kind) {
            case 'apply':
              cluster.step(
                deed.jobs.flatMap((job, nth) =>
                  Array.from({ length: job.copies }, (_each, copy) => applyAny(`j${index}-${nth}-${copy}`, job)),
                ),
              );
              break;
            case 'tick':
              for (let second = 0; second < deed.seconds; second += 1) cluster.tick({ total: 60, saveEvery: 3 });
              break;
            case 'delete': {
              const job = [...cluster.view.jobs.values()][deed.nth];
              if (job !== undefined) cluster.step([{ kind: 'deleteJob', name: job.name, user: userName('ann'), now: false }]);
              break;
            }
            case 'cordon': {
              const agent = cluster.agents[deed.node];
              if (agent !== undefined)
                cluster.step([{ kind: 'cordonNode', node: agent.name, user: userName('ann'), reason: '', drain: deed.drain }]);
              break;
            }
          }
          // Time alone may be told up to a second late.
          cluster.state.scheduleDirty = true;
          cluster.step([]);
          let passes = 0;
          for (; cluster.more && passes < 20; passes += 1) cluster.step([]);
          expect(cluster.more, 'passes that come to no end').toBe(false);
          const before = cluster.log.length;
          cluster.state.scheduleDirty = true;
          cluster.step([]);
          expect(cluster.log.slice(before)).toEqual([]);
          expectNothingElseWhenAllAreLookedAt(cluster);
        }
        for (const event of cluster.log) seen.add(event.kind);
      }),
      { numRuns: cases(60), examples: [[found]] },
    );
    for (const kind of ['JobNominated', 'NominationDropped', 'TargetChosen', 'GrowthChosen']) expect([...seen]).toContain(kind);
  },
  longest(120_000),
);
