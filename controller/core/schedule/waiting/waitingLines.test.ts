import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { applyJob, FakeCluster, policy } from '#test/simulation/fakeCluster.ts';
import { jobName, userName } from '#vocabulary/ids.ts';
import type { Input } from '../../inputs.ts';
import { levelsOf } from '../../queues/attained.ts';
import type { StateView } from '../../state/view.ts';
import { kinKey } from './kin.ts';
import type { WaitingLines } from './waitingLines.ts';
import { openLines } from './waitingLines.ts';

const { inLine } = levelsOf(policy);

/** Queue, rank, user and kin of all that wait, in order. */
function drawn(lines: WaitingLines): readonly string[] {
  return [...lines.queues]
    .sort()
    .flatMap((queue) =>
      lines
        .ranksOf(queue)
        .flatMap(({ priority, level, users }) =>
          [...users]
            .sort(([left], [right]) => (left < right ? -1 : 1))
            .flatMap(([user, { kins }]) =>
              kins.map(({ jobs }) => `${queue} ${priority}/${level} ${user}: ${jobs.map(({ name }) => name).join(' ')}`),
            ),
        ),
    );
}

/** By its own walk over all that wait. */
function wanted({ pending, jobs }: StateView): readonly string[] {
  const waiting = pending
    .flatMap((uid) => jobs.get(uid) ?? [])
    .sort((left, right) => left.createdAtMs - right.createdAtMs || (left.uid < right.uid ? -1 : 1));
  const kins = Map.groupBy(waiting, (job) => {
    const { queue, priority } = job.spec;
    return JSON.stringify([queue, 1_000 - priority, inLine(job), job.user, kinKey(job) ?? job.uid]);
  });
  const lines = [...kins].map(([key, [...kin]]) => ({ key: key.split(',').slice(0, 4).join(','), kin }));
  lines.sort((left, right) => (left.key < right.key ? -1 : left.key > right.key ? 1 : 0));
  return lines.map(({ kin }) => {
    const [first] = kin;
    if (first === undefined) return '';
    return `${first.spec.queue} ${first.spec.priority}/${inLine(first)} ${first.user}: ${kin.map(({ name }) => name).join(' ')}`;
  });
}

const anyName = fc.integer({ min: 0, max: 11 }).map((nth) => `j${nth}`);

const anyDeed: fc.Arbitrary<Input> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .record({
        name: anyName,
        user: fc.constantFrom('ann', 'bob'),
        workers: fc.integer({ min: 1, max: 3 }),
        priority: fc.constantFrom(10, 20),
      })
      .map(({ name, user, ...spec }) => applyJob(name, spec, user)),
  },
  ...(['holdJob', 'releaseJob', 'nextJob'] as const).map((kind) =>
    anyName.map((name): Input => ({ kind, name: jobName(name), user: userName('ann') })),
  ),
  anyName.map((name): Input => ({ kind: 'prioritizeJob', name: jobName(name), user: userName('ann'), priority: 15 })),
  anyName.map((name): Input => ({ kind: 'deleteJob', name: jobName(name), user: userName('ann'), now: false })),
);

test('lines that are kept from pass to pass are those that are made anew', () => {
  fc.assert(
    fc.property(fc.array(fc.array(anyDeed, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 12 }), (story) => {
      const cluster = new FakeCluster({ racks: 1, nodesPerRack: 1, gpus: 2 });
      for (const deeds of story) {
        cluster.nowMs += 1_000;
        cluster.step(deeds);
        const lines = openLines(cluster.view, inLine);
        lines.settle();
        expect(drawn(lines)).toEqual(wanted(cluster.view));
      }
    }),
    { numRuns: cases(100) },
  );
});

test('a job that was held, and is not any more, is kin to others again', () => {
  const cluster = new FakeCluster({ racks: 1, nodesPerRack: 1, gpus: 2 });
  cluster.step([applyJob('fills', { gpusPerWorker: 2 })]);
  const kins = (): readonly string[] => {
    const lines = openLines(cluster.view, inLine);
    lines.settle();
    return drawn(lines);
  };
  cluster.step([applyJob('a', { gpusPerWorker: 2 }), applyJob('b', { gpusPerWorker: 2 }), applyJob('c', { gpusPerWorker: 2 })]);
  expect(kins()).toEqual(['default 20/0 alice: a b c']);
  cluster.step([{ kind: 'holdJob', name: jobName('b'), user: userName('ann') }]);
  expect(kins()).toEqual(['default 20/0 alice: a c', 'default 20/0 alice: b']);
  cluster.step([{ kind: 'releaseJob', name: jobName('b'), user: userName('ann') }]);
  expect(kins()).toEqual(['default 20/0 alice: a b c']);
});
