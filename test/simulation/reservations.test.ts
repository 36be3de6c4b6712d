import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cases, longest } from '#test/cases.ts';
import { planJob } from '#core/plan.ts';
import { occurrencesFrom, calendarOf } from '#core/reservations/calendar.ts';
import { nodesOf } from '#core/reservations/reservedNodes.ts';
import { promisedEndMs } from '#core/jobs/endings.ts';
import { printSnapshot, restoreSnapshot } from '#core/state/snapshot.ts';
import { parseSnapshot } from '#controller/loop/logLine.ts';
import { jobName, reservationName, userName } from '#vocabulary/ids.ts';
import type { ReservationSpec } from '#vocabulary/reservation.ts';
import { applyJob, FakeCluster, onNodes, policy, reserve } from './fakeCluster.ts';

/** Nodes n11, n12 in rack r1, n21, n22 in r2; two GPUs each. */
const names = ['n11', 'n12', 'n21', 'n22'] as const;
const graceMs = 3_000;
const settings = { ...policy, restartCostMs: 2_000, stopSlackMs: 4_000, targetAfterMs: 10_000, targetGpusMin: 3 };

const anyJob = fc.record({
  kind: fc.constant('job' as const),
  user: fc.constantFrom('ann', 'bob'),
  workers: fc.integer({ min: 1, max: 4 }),
  gpusPerWorker: fc.integer({ min: 1, max: 2 }),
  priority: fc.constantFrom(10, 20, 30),
  preemptible: fc.boolean(),
  runsFor: fc.option(fc.integer({ min: 3, max: 60 }), { nil: null }),
  minRuns: fc.constantFrom(0, 0, 0, 5),
});

const anyReservation = fc.record({
  kind: fc.constant('reserve' as const),
  nth: fc.nat(3),
  user: fc.constantFrom(null, null, 'ann', 'bob'),
  nodes: fc.oneof(
    fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 4 }).map((list) => onNodes(...list)),
    fc.constantFrom('rack/r1', 'rack/r2').map((domain): ReservationSpec['nodes'] => ({ kind: 'domains', domains: [domain] })),
    fc
      .integer({ min: 1, max: 3 })
      .map((amount): ReservationSpec['nodes'] => ({ kind: 'count', of: 'nodes', amount, model: null, level: null })),
  ),
  in: fc.oneof(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 9, max: 25 })),
  duration: fc.integer({ min: 5, max: 40 }),
  again: fc.constantFrom(null, null, '* * * * *', '*/2 * * * *'),
  drain: fc.constantFrom('suspend' as const, 'suspend' as const, 'runtime' as const),
  lend: fc.boolean(),
});

const anyDeed = fc.oneof(
  { weight: 5, arbitrary: anyJob },
  { weight: 2, arbitrary: anyReservation },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('tick' as const), seconds: fc.integer({ min: 1, max: 30 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('unreserve' as const), nth: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), nth: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cordon' as const), node: fc.constantFrom(...names), on: fc.boolean() }) },
);
type Deed = typeof anyDeed extends fc.Arbitrary<infer D> ? D : never;
type AnyJob = Extract<Deed, { kind: 'job' }>;

const jobRequest = (name: string, { user, workers, gpusPerWorker, priority, preemptible, runsFor, minRuns }: AnyJob) =>
  applyJob(
    name,
    {
      workers,
      gpusPerWorker,
      priority,
      preemptible,
      maxRuntimeMs: runsFor === null ? null : Math.max(runsFor, minRuns) * 1_000,
      minRuntimeMs: minRuns * 1_000,
      checkpoint: { directory: '/ckpt', intervalMs: null, graceMs, keep: null },
    },
    user,
  );

function act(cluster: FakeCluster, deed: Deed, index: number, watch: (cluster: FakeCluster) => void): void {
  const op = userName('op');
  switch (deed.kind) {
    case 'job':
      cluster.step([jobRequest(`j${index}`, deed)]);
      return;
    case 'reserve': {
      const start = cluster.nowMs / 1_000 + deed.in;
      const users = deed.user === null ? [] : [userName(deed.user)];
      const repeat: ReservationSpec['repeat'] =
        deed.again === null ? null : { kind: 'cron', line: deed.again, timeZone: 'UTC', untilMs: null };
      const { nodes, duration, drain, nth } = deed;
      cluster.step([reserve(`r${nth}`, { nodes, start, duration, users, repeat, drain, lend: deed.lend && users.length > 0 })]);
      return;
    }
    case 'tick':
      for (let second = 0; second < deed.seconds; second += 1) {
        cluster.tick({ total: 1e9, saveEvery: 3 });
        watch(cluster);
      }
      return;
    case 'unreserve':
      cluster.step([{ kind: 'deleteReservation', name: reservationName(`r${deed.nth}`), user: op }]);
      return;
    case 'delete': {
      const job = [...cluster.view.jobs.values()][deed.nth];
      if (job !== undefined) cluster.step([{ kind: 'deleteJob', name: jobName(job.name), user: op, now: true }]);
      return;
    }
    case 'cordon': {
      const node = cluster.agent(deed.node).name;
      cluster.step([deed.on ? { kind: 'cordonNode', node, user: op, reason: '', drain: false } : { kind: 'uncordonNode', node, user: op }]);
      return;
    }
  }
}

/** Reservations by name, with the time from which on they are as they are. */
class Watch {
  readonly #knownMs = new Map<string, { readonly changed: string; readonly sinceMs: number }>();
  emptied = 0;
  begun = 0;

  look(cluster: FakeCluster): void {
    this.#noOverlaps(cluster);
    for (const reservation of cluster.view.reservations.values()) {
      const { name, spec, occurrence, isOpen } = reservation;
      const changed = JSON.stringify([spec, nodesOf(cluster.view, policy.levels, reservation), occurrence]);
      const before = this.#knownMs.get(name);
      if (before?.changed !== changed) this.#knownMs.set(name, { changed, sinceMs: cluster.nowMs });
      const sinceMs = before?.changed === changed ? before.sinceMs : cluster.nowMs;
      // The first second of it: everybody had the time to leave if it was known for so long.
      const noticeMs = settings.stopSlackMs + graceMs + 2_000;
      const isFirst = occurrence !== null && isOpen && cluster.nowMs - occurrence.startMs < 1_000;
      if (!isFirst || occurrence.startMs - sinceMs < noticeMs) continue;
      this.begun += 1;
      if (spec.purpose !== 'maintenance') continue;
      for (const node of nodesOf(cluster.view, policy.levels, reservation)) {
        const jobs = [...(cluster.view.nodes.get(node)?.jobs ?? [])];
        expect(jobs, `${node} when ${name} begins at ${occurrence.startMs}`).toEqual([]);
        this.emptied += 1;
      }
    }
  }

  /** What the requests refuse is never there. */
  #noOverlaps({ view, nowMs }: FakeCluster): void {
    const planned = [...view.reservations.values()].filter(({ occurrence }) => occurrence !== null);
    for (const [at, left] of planned.entries()) {
      for (const right of planned.slice(at + 1)) {
        const mine = new Set(nodesOf(view, policy.levels, left));
        if (!nodesOf(view, policy.levels, right).some((node) => mine.has(node))) continue;
        const soon = (of: typeof left) => occurrencesFrom(calendarOf(of), nowMs, nowMs + 600_000, 20);
        for (const one of soon(left))
          for (const other of soon(right))
            expect(one.startMs < other.endMs && other.startMs < one.endMs, `${left.name} and ${right.name}`).toBe(false);
      }
    }
  }
}

/** Nobody who had promised to be gone in time was asked to leave for a reservation. */
function checkAsked(cluster: FakeCluster, asked: ReadonlyMap<string, number | null>): void {
  for (const event of cluster.log) {
    if (event.kind !== 'SuspendStaged' || event.stage.kind !== 'ask' || event.message === undefined) continue;
    const [, begins] = /^reservation \S+ begins (\S+)$/.exec(event.message) ?? [];
    if (begins === undefined) continue;
    const endMs = asked.get(`${event.uid}/${event.attempt}`) ?? null;
    if (endMs !== null) expect(endMs + settings.stopSlackMs).toBeGreaterThan(Date.parse(begins));
  }
}

test(
  'whoever comes and whatever is reserved: only who may be there is, maintenance finds its nodes empty, and nobody is stopped for nothing',
  () => {
    let [emptied, begun] = [0, 0];
    fc.assert(
      fc.property(fc.array(anyDeed, { minLength: 8, maxLength: 40 }), anyJob, (deeds, candidate) => {
        // Each step checks that nobody is where he may not be (core/invariants.ts).
        const cluster = new FakeCluster({ racks: 2, nodesPerRack: 2, gpus: 2 }, settings);
        const watch = new Watch();
        const ends = new Map<string, number | null>();
        for (const [index, deed] of deeds.entries()) {
          act(cluster, deed, index, (now) => watch.look(now));
          for (const job of cluster.view.jobs.values())
            if (job.phase.kind === 'active') ends.set(`${job.uid}/${job.attempts.length}`, promisedEndMs(job));
          // A second look at the same moment decides nothing more.
          cluster.state.scheduleDirty = true;
          cluster.step([]);
          for (let passes = 0; cluster.more && passes < 20; passes += 1) cluster.step([]);
          const before = cluster.log.length;
          cluster.state.scheduleDirty = true;
          cluster.step([]);
          expect(cluster.log.slice(before)).toEqual([]);
        }
        checkAsked(cluster, ends);
        expect(cluster.replay()).toBe(printSnapshot(cluster.view));
        expect(printSnapshot(restoreSnapshot(parseSnapshot(printSnapshot(cluster.view))))).toBe(printSnapshot(cluster.view));
        // A plan says what the pass does. The newest job is behind its equals.
        cluster.sleep(1);
        cluster.state.scheduleDirty = true;
        cluster.step([]);
        for (let passes = 0; cluster.more && passes < 20; passes += 1) cluster.step([]);
        const request = jobRequest('candidate', candidate);
        const { decision } = planJob(cluster.view, request, { nowMs: cluster.nowMs, policy: settings });
        cluster.step([request]);
        const job = cluster.job('candidate');
        if (decision?.ok === true) expect(job.attempts.at(-1)?.placement).toEqual(decision.placement);
        else expect([job.phase.kind, cluster.waits.get(job.uid)?.kind]).toEqual(['pending', decision?.wait.kind]);
        emptied += watch.emptied;
        begun += watch.begun;
      }),
      { numRuns: cases(80) },
    );
    expect(emptied).toBeGreaterThan(3);
    expect(begun).toBeGreaterThan(3);
  },
  longest(900_000),
);
