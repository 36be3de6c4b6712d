import { expect, test } from 'vitest';
import { planJob } from '#core/plan.ts';
import { parseSnapshot } from '#controller/loop/logLine.ts';
import { restoreSnapshot } from '#core/state/snapshot.ts';
import { printSnapshot } from '#core/state/snapshot.ts';
import type { State } from '#core/state/state.ts';
import { currentAttempt } from '#core/state/state.ts';
import { step } from '#core/step.ts';
import type { Random } from '#sim/random.ts';
import { createRandom } from '#sim/random.ts';
import { cases } from '#test/cases.ts';
import { queueName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import { applyJob, type FakeCluster, policy } from './fakeCluster.ts';
import { beginStory, liveSecond } from './story.ts';

/** Snapshots of the test: 1,000 with SHOAL_CASES=1000. Each story gives several. */
const snapshots = cases(120);
const perStory = 8;

function drawWanted(random: Random): Partial<JobSpec> {
  const workers = 1 + random.below(4);
  const level = random.pick(['rack', 'node', null, null, null]) ?? null;
  return {
    workers,
    gpusPerWorker: random.pick([0, 1, 1, 2, 2, 4]) ?? 1,
    priority: random.pick([10, 20, 50, 90]) ?? 20,
    queue: queueName(random.pick(['default', 'red', 'blue']) ?? 'default'),
    constraints: level === null ? [] : [{ level, mode: 'required', waitMs: null }],
    maxRuntimeMs: random.chance(0.4) ? 30_000 : null,
    segments: workers % 2 === 0 && random.chance(0.2) ? [{ level: 'rack', workers: 2 }] : [],
    exclusive: random.chance(0.05) ? 'rack' : null,
    array: random.chance(0.1) ? { count: 3, parallelism: 2 } : null,
  };
}

/** What really comes of the job: the leader's own state, its own step, and the steps that follow at once. */
function reallyApply(state: State, request: ReturnType<typeof applyJob>, nowMs: number) {
  let result = step(state, [request], { nowMs, policy });
  const [reply] = result.replies;
  const uid = request.spec.array === null ? request.uid : `${request.uid}-0`;
  let wait = undefined;
  for (let rounds = 0; ; rounds += 1) {
    if (result.waits !== null) wait = [...result.waits].find(([each]) => each === uid)?.[1];
    if (!result.more || rounds > 64) break;
    result = step(state, [], { nowMs, policy });
  }
  const job = [...state.jobs.values()].find((each) => each.uid === uid);
  const attempt = job === undefined ? undefined : currentAttempt(job);
  const asked = (job?.nomination?.victims ?? []).map((victim) => state.jobs.get(victim)?.name);
  return { reply, attempt, wait, asked, promised: job?.nomination?.placement ?? null };
}

function expectAgreement(cluster: FakeCluster, random: Random, label: string): 'placed' | 'asks' | 'waits' | 'refused' {
  const spec = drawWanted(random);
  const request = applyJob(`asked-${random.below(1_000_000)}`, spec, random.pick(['alice', 'bob', 'dora']) ?? 'alice');
  const before = printSnapshot(cluster.state);
  const plan = planJob(cluster.state, request, { nowMs: cluster.nowMs, policy });
  expect(printSnapshot(cluster.state), label).toBe(before);
  // A state that was read back from a snapshot plans the same: what the leader has beside the log says nothing about it but when moves are looked for.
  const restored = restoreSnapshot(parseSnapshot(before));
  restored.movesFromMs = cluster.state.movesFromMs;
  expect(planJob(restored, request, { nowMs: cluster.nowMs, policy }), label).toEqual(plan);

  const { reply, attempt, wait, asked, promised } = reallyApply(cluster.state, request, cluster.nowMs);
  const said = `${label}: ${JSON.stringify(spec)}`;
  expect(reply, said).toEqual(plan.reply);
  if (plan.decision === null) return 'refused';
  expect(
    plan.displaced.map(({ name }) => name),
    said,
  ).toEqual(asked);
  expect(plan.promised?.placement ?? null, said).toEqual(promised);
  if (plan.decision.ok) {
    expect({ placement: plan.decision.placement, model: plan.decision.model }, said).toEqual({
      placement: attempt?.placement,
      model: attempt?.model,
    });
    return 'placed';
  }
  expect(attempt, said).toBeUndefined();
  expect(plan.decision.wait, said).toEqual(wait);
  return plan.displaced.length > 0 ? 'asks' : 'waits';
}

test('what a plan says is what the next step then does: placed or not, where, and whom it asks', () => {
  const seen = { placed: 0, asks: 0, waits: 0, refused: 0 };
  for (let seed = 1; seed * perStory <= snapshots; seed += 1) {
    const { cluster, random } = beginStory(seed);
    const wishes = createRandom(seed * 7_919);
    for (let second = 0; second < 15 + (seed % 10); second += 1) liveSecond(cluster, random, second);
    for (let nth = 0; nth < perStory; nth += 1) {
      for (let second = 0; second < 1 + wishes.below(4); second += 1) liveSecond(cluster, random, 1_000 * (nth + 1) + second);
      seen[expectAgreement(cluster, wishes, `seed ${seed}, snapshot ${nth}`)] += 1;
    }
  }
  // All kinds of answers were tried.
  for (const kind of ['placed', 'asks', 'waits'] as const) expect(seen[kind], kind).toBeGreaterThan(snapshots / 40);
});
