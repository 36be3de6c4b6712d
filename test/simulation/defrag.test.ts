import { expect, test } from 'vitest';
import { defaultPolicy } from '#controller/limits.ts';
import { openRoom } from '#core/schedule/clusterRoom.ts';
import type { DefragPlan } from '#core/schedule/defrag/defragPlan.ts';
import { measureHoles } from '#core/schedule/defrag/holes.ts';
import { createRandom } from '#sim/random.ts';
import { cases } from '#test/cases.ts';
import { jobName, userName } from '#vocabulary/ids.ts';
import { applyJob, FakeCluster, policy } from './fakeCluster.ts';

const endless = { total: 1e9, saveEvery: 2 };
const settings = () => ({ defrag: defaultPolicy.defrag, restartCostMs: 1_000 });
const holesNow = (cluster: FakeCluster) =>
  measureHoles(openRoom(cluster.view, { nowMs: cluster.nowMs, policy }).room.capacity, policy.levels);
const end = (cluster: FakeCluster, name: string): void =>
  void cluster.step([{ kind: 'deleteJob', name: jobName(name), user: userName('bob'), now: true }]);
const rest = (cluster: FakeCluster): void => {
  for (let second = 0; second < 8; second += 1) cluster.tick(endless);
};

function ask(cluster: FakeCluster, movesMax: number | null = null): DefragPlan {
  const [reply] = cluster.step([{ kind: 'defrag', user: userName('bob'), movesMax }]);
  if (reply?.kind !== 'defragged') throw new Error('no plan');
  return reply.plan;
}

test('a defrag of any cluster gains what it says, moves only who may be moved, and comes to rest', () => {
  let moved = 0;
  for (let seed = 1; seed <= cases(25); seed += 1) {
    const random = createRandom(seed);
    const cluster = new FakeCluster({ racks: 2, nodesPerRack: 3, gpus: 4 }, settings());
    for (let job = 0; job < 14; job += 1)
      cluster.step([
        applyJob(`j${job}`, {
          gpusPerWorker: 1 + random.below(3),
          workers: random.pick([1, 1, 1, 2]) ?? 1,
          preemptible: random.chance(0.85),
        }),
      ]);
    cluster.tick(endless);
    for (let job = 0; job < 14; job += 1) if (random.chance(0.5)) end(cluster, `j${job}`);
    for (let second = 0; second < 4; second += 1) cluster.tick(endless);
    for (let round = 0; round < 8; round += 1) {
      // Those who were moved rest for a while.
      cluster.nowMs += 3_600_000;
      cluster.tick(endless);
      const plan = ask(cluster);
      if (plan.moves.length === 0) break;
      expect(round, `seed ${seed}`).toBeLessThan(7);
      moved += plan.moves.length;
      const waits = [...cluster.view.jobs.values()].some(({ phase }) => phase.kind === 'pending');
      rest(cluster);
      for (const { uid, placement } of plan.moves) expect(cluster.view.jobs.get(uid)?.attempts.at(-1)?.placement).toEqual(placement);
      expect(plan.after.scatteredMilli).toBeLessThanOrEqual(plan.before.scatteredMilli - 4_000);
      // Who waited may be in the holes already.
      if (!waits) expect(holesNow(cluster), `seed ${seed}`).toEqual(plan.after);
    }
  }
  expect(moved).toBeGreaterThan(10);
});
