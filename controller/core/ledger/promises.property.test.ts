import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { parseSnapshot } from '#controller/loop/logLine.ts';
import { applyJob, FakeCluster, policy } from '#test/simulation/fakeCluster.ts';
import { nodeName, userName } from '#vocabulary/ids.ts';
import type { Placement } from '#vocabulary/job.ts';
import type { Event } from '../events.ts';
import { isWhollyFree } from '../nodes/holds.ts';
import { apply } from '../state/apply.ts';
import { printSnapshot, restoreSnapshot } from '../state/snapshot.ts';
import { currentAttempt } from '../state/state.ts';
import type { JobView } from '../state/view.ts';
import { findLedgerErrors } from './findLedgerErrors.ts';
import { readLedger, readTotals } from './readLedger.ts';

/** Something that may happen to a job, at a place, or to the first node of the place, whether it makes sense or not. */
const anyHappening = fc.record({
  what: fc.constantFrom(
    'promise',
    'promise',
    'drop',
    'place',
    'end',
    'park',
    'remove',
    'sick',
    'well',
    'cordon',
    'uncordon',
    'lost',
    'ready',
  ),
  job: fc.constantFrom('a', 'b', 'c'),
  place: fc.uniqueArray(fc.nat(3), { minLength: 1, maxLength: 4 }),
  laterMs: fc.nat(5_000),
});
type Happening = typeof anyHappening extends fc.Arbitrary<infer H> ? H : never;

/** Two nodes of two GPUs; three jobs that no pass can place, so that only what is told here happens. */
function begin(): FakeCluster {
  const cluster = new FakeCluster({ racks: 1, nodesPerRack: 2, gpus: 2 });
  for (const name of ['a', 'b', 'c']) cluster.step([applyJob(name, { workers: 99 })]);
  return cluster;
}

function placementOf(numbers: readonly number[]): Placement {
  const byNode = Map.groupBy([...numbers].sort(), (number) => (number < 2 ? 'n11' : 'n12'));
  return [...byNode].map(([name, gpus]) => ({ node: nodeName(name), gpus: gpus.map((number) => number % 2) }));
}

/** null: it cannot happen now. */
function eventOf(cluster: FakeCluster, { what, job: name, place }: Happening): Event | null {
  const job = [...cluster.view.jobs.values()].find((one) => one.name === name);
  const placement = placementOf(place);
  const [first] = placement;
  if (first === undefined) return null;
  const { node } = first;
  switch (what) {
    case 'sick':
    case 'well':
      return { kind: 'GpuHealthChanged', node, gpu: first.gpus[0] ?? 0, healthy: what === 'well', code: '', message: '' };
    case 'cordon':
      return { kind: 'NodeCordoned', node, by: userName('bob'), reason: '', drain: false };
    case 'uncordon':
      return { kind: 'NodeUncordoned', node, by: userName('bob') };
    case 'lost':
      return { kind: 'NodeLost', node, message: '' };
    case 'ready':
      return { kind: 'NodeReady', node };
    default:
      return job === undefined ? null : eventOfJob(cluster, what, job, placement);
  }
}

function eventOfJob(
  cluster: FakeCluster,
  what: 'promise' | 'drop' | 'place' | 'end' | 'park' | 'remove',
  job: JobView,
  placement: Placement,
): Event | null {
  const { uid, name } = job;
  const attempt = currentAttempt(job);
  if (what === 'end' && attempt !== undefined)
    return {
      kind: 'AttemptEnded',
      uid,
      attempt: attempt.number,
      reasons: ['Drained'],
      message: '',
      charged: false,
      next: { kind: 'pending' },
    };
  if (job.phase.kind !== 'pending') return null;
  const isFree = placement.every(({ node, gpus }) => {
    const record = cluster.view.nodes.get(node);
    return record !== undefined && gpus.every((gpu) => isWhollyFree(record, gpu));
  });
  if (what === 'promise') return { kind: 'JobNominated', uid, victims: [], placement, model: 'H100' };
  if (what === 'drop') return { kind: 'NominationDropped', uid, message: '' };
  if (what === 'park') return { kind: 'JobParked', uid, phase: 'suspended' };
  if (what === 'remove') return { kind: 'JobRemoved', uid, name };
  const coordinator = { address: 'x', port: 20_000 + job.attempts.length };
  return what === 'place' && isFree
    ? { kind: 'AttemptPlaced', uid, attempt: job.attempts.length + 1, placement, model: 'H100', coordinator, resume: null }
    : null;
}

test('whatever is promised, taken, lost and given back: the sums hold after each event, and a snapshot reads the same', () => {
  let reserved = 0;
  fc.assert(
    fc.property(fc.array(anyHappening, { maxLength: 40 }), (happenings) => {
      const cluster = begin();
      for (const each of happenings) {
        cluster.nowMs += each.laterMs;
        const event = eventOf(cluster, each);
        if (event !== null) apply(cluster.state, { ...event, atMs: cluster.nowMs }, policy.recentEventsMax);
        expect(findLedgerErrors(cluster.view), JSON.stringify(event)).toEqual([]);
      }
      const laterMs = cluster.nowMs + 1_234;
      const { amounts } = readLedger(cluster.view, laterMs);
      if (amounts.reserved > 0n) reserved += 1;
      const restored = restoreSnapshot(parseSnapshot(printSnapshot(cluster.view)));
      expect(findLedgerErrors(restored)).toEqual([]);
      expect(readLedger(restored, laterMs)).toEqual(readLedger(cluster.view, laterMs));
      expect(readTotals(restored, 'user', laterMs)).toEqual(readTotals(cluster.view, 'user', laterMs));
    }),
    { numRuns: cases(300) },
  );
  expect(reserved).toBeGreaterThan(50);
});
