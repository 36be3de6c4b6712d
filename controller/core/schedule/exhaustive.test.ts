import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { isWhollyFree } from '#core/nodes/holds.ts';
import { planJob } from '#core/plan.ts';
import { applyJob, FakeCluster, policy } from '#test/simulation/fakeCluster.ts';
import { userName } from '#vocabulary/ids.ts';

/** Clusters so small that every way to place a gang can be tried. */
const anyNode = fc.record({
  rack: fc.constantFrom('r1', 'r2'),
  gpus: fc.integer({ min: 0, max: 4 }),
  sick: fc.nat(3),
  cordoned: fc.nat(4).map((n) => n === 0),
});
const anyLevel = fc.constantFrom(null, 'zone', 'rack', 'node');
const anyGang = fc.record({
  workers: fc.integer({ min: 1, max: 4 }),
  gpusPerWorker: fc.integer({ min: 1, max: 3 }),
  level: anyLevel,
  priority: fc.nat(2),
});
type Gang = typeof anyGang extends fc.Arbitrary<infer G> ? G : never;

function build(
  nodes: readonly { readonly rack: string; readonly gpus: number; readonly sick: number; readonly cordoned: boolean }[],
): FakeCluster {
  const cluster = new FakeCluster(nodes.map(({ rack, gpus }, index) => ({ name: `n${index}`, rack, gpus })));
  for (const [index, { gpus, sick, cordoned }] of nodes.entries()) {
    const agent = cluster.agent(`n${index}`);
    if (sick < gpus) agent.setHealth(sick, false);
    cluster.step([{ kind: 'report', node: agent.name, report: agent.report() }]);
    if (cordoned) cluster.step([{ kind: 'cordonNode', node: agent.name, user: userName('bob'), reason: '', drain: false }]);
  }
  return cluster;
}

const apply = (name: string, { workers, gpusPerWorker, level, priority }: Gang) =>
  applyJob(name, {
    workers,
    gpusPerWorker,
    priority,
    preemptible: false,
    constraints: level === null ? [] : [{ level, mode: 'required', waitMs: null }],
  });

interface Place {
  readonly rack: string;
  readonly name: string;
  readonly free: number;
}

function freePlaces(cluster: FakeCluster): readonly Place[] {
  return [...cluster.view.nodes.values()].flatMap((node) => {
    if (node.cordon !== null) return [];
    const free = node.inventory.gpus.filter((gpu) => isWhollyFree(node, gpu.index) && node.health[gpu.index]?.healthy === true).length;
    return [{ rack: node.inventory.path[2] ?? '', name: node.name, free }];
  });
}

/** Tries every node for every worker. */
function canPlace(places: readonly Place[], gang: Gang, chosen: readonly Place[] = []): boolean {
  if (chosen.length === gang.workers) {
    const domains = new Set(chosen.map((place) => ({ node: place.name, rack: place.rack, zone: 'z1', none: '' })[gang.level ?? 'none']));
    return domains.size === 1;
  }
  return places.some((place) => {
    const used = chosen.filter((other) => other === place).length * gang.gpusPerWorker;
    return used + gang.gpusPerWorker <= place.free && canPlace(places, gang, [...chosen, place]);
  });
}

const anyCluster = fc.array(anyNode, { minLength: 1, maxLength: 4 });

test('"no" is exact: a gang waits if and only if no way to place it exists, and a plan says the same before', () => {
  fc.assert(
    fc.property(anyCluster, fc.array(anyGang, { minLength: 1, maxLength: 5 }), (nodes, gangs) => {
      const cluster = build(nodes);
      for (const [index, gang] of gangs.entries()) {
        const want = canPlace(freePlaces(cluster), gang);
        const request = apply(`j${index}`, gang);
        const plan = planJob(cluster.view, request, { nowMs: cluster.nowMs, policy });
        const [reply] = cluster.step([request]);
        if (reply?.kind === 'refused') {
          // What cannot fit the cluster as it is known never fits what is free of it.
          expect(want).toBe(false);
          continue;
        }
        const job = cluster.job(`j${index}`);
        expect(job.phase.kind).toBe(want ? 'active' : 'pending');
        // Every placement's level and wholeness is checked by the cluster after each step.
        expect(plan.decision).toEqual(
          want ? { ok: true, placement: job.attempts[0]?.placement, model: 'H100' } : { ok: false, wait: cluster.waits.get(job.uid) },
        );
      }
    }),
    { numRuns: cases(300) },
  );
});

test('a gang is in two racks only when no rack holds it, and on two nodes only when no node of the cluster does', () => {
  fc.assert(
    fc.property(anyCluster, fc.array(anyGang, { minLength: 1, maxLength: 4 }), (nodes, gangs) => {
      const cluster = build(nodes);
      for (const [index, gang] of gangs.entries()) {
        const places = freePlaces(cluster);
        const [reply] = cluster.step([apply(`j${index}`, gang)]);
        if (reply?.kind === 'refused') continue;
        const used = cluster.job(`j${index}`).attempts[0]?.placement.map((place) => place.node) ?? [];
        const racks = new Set(used.map((name) => places.find((place) => place.name === name)?.rack));
        if (racks.size > 1) expect(canPlace(places, { ...gang, level: 'rack' })).toBe(false);
        if (new Set(used).size > 1) expect(canPlace(places, { ...gang, level: 'node' })).toBe(false);
      }
    }),
    { numRuns: cases(200) },
  );
});

test('one step with many jobs comes to the same as a step for each in scheduling order', () => {
  fc.assert(
    fc.property(anyCluster, fc.array(anyGang, { minLength: 1, maxLength: 6 }), (nodes, gangs) => {
      const [together, apart] = [build(nodes), build(nodes)];
      const requests = gangs.map((gang, index) => ({ gang, request: apply(`j${index}`, gang) }));
      together.step(requests.map(({ request }) => request));
      for (const { request } of requests.toSorted((left, right) => right.gang.priority - left.gang.priority)) apart.step([request]);
      const placed = (cluster: FakeCluster): readonly string[] => cluster.placements().filter((line) => !line.includes('waits'));
      expect(placed(together)).toEqual(placed(apart));
    }),
    { numRuns: cases(200) },
  );
});

test('the kept count of free room is what a fresh count gives, whatever happened', () => {
  fc.assert(
    fc.property(
      anyCluster,
      fc.array(anyGang, { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat(3), { maxLength: 6 }),
      (nodes, gangs, losses) => {
        const cluster = build(nodes);
        for (const [index, gang] of gangs.entries()) {
          const lost = losses[index];
          const agent = lost === undefined ? undefined : cluster.agents[lost];
          if (agent !== undefined) cluster.step([{ kind: 'nodeSilent', node: agent.name, silentMs: 9_000 }]);
          const request = apply(`j${index}`, gang);
          // A plan is made on a copy of the state, which has no count yet.
          const { reply, decision: fresh } = planJob(cluster.view, request, { nowMs: cluster.nowMs, policy });
          expect(cluster.step([request])).toEqual([reply]);
          const attempt = reply.kind === 'refused' ? undefined : cluster.job(`j${index}`).attempts[0];
          if (attempt !== undefined) expect(fresh).toEqual({ ok: true, placement: attempt.placement, model: attempt.model });
          else if (fresh !== null) expect(fresh).toEqual({ ok: false, wait: cluster.waits.get(request.uid) });
        }
      },
    ),
    { numRuns: cases(200) },
  );
});
