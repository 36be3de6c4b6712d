import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { applyJob, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { jobName, userName } from '#vocabulary/ids.ts';

const anyDeed = fc.record({ job: fc.nat(7), kind: fc.constantFrom('apply', 'suspend', 'resume', 'delete', 'later'), priority: fc.nat(3) });

test('waiting jobs stand by priority, then age, then uid, whatever was asked in between', () => {
  fc.assert(
    fc.property(fc.array(anyDeed, { maxLength: 40 }), (deeds) => {
      const cluster = new FakeCluster([]);
      const user = userName('bob');
      for (const { job, kind, priority } of deeds) {
        const name = jobName(`j${job}`);
        if (kind === 'apply') cluster.step([applyJob(name, { priority })]);
        else if (kind === 'suspend') cluster.step([{ kind: 'suspendJob', name, user }]);
        else if (kind === 'resume') cluster.step([{ kind: 'resumeJob', name, user }]);
        else if (kind === 'delete') cluster.step([{ kind: 'deleteJob', name, user, now: false }]);
        else cluster.nowMs += 1_000;
        const want = [...cluster.view.jobs.values()]
          .filter((one) => one.phase.kind === 'pending')
          .sort(
            (left, right) =>
              right.spec.priority - left.spec.priority || left.createdAtMs - right.createdAtMs || (left.uid < right.uid ? -1 : 1),
          );
        expect(cluster.view.pending).toEqual(want.map((one) => one.uid));
      }
    }),
    { numRuns: cases(100) },
  );
});
