import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import type { Reply } from '#core/inputs.ts';
import { desiredFor } from '#core/desired.ts';
import { planJob } from '#core/plan.ts';
import { currentAttempt } from '#core/state/state.ts';
import { printSnapshot } from '#core/state/snapshot.ts';
import { applyJob, applyQueue, FakeCluster, policy } from '#test/simulation/fakeCluster.ts';
import type { NodeShape } from '#test/simulation/fakeAgent.ts';
import { nodeName, queueName, userName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import { describeWait } from '#vocabulary/reasons.ts';

const sevenths = Array.from({ length: 7 }, () => '1g.10gb');
const node = (name: string, slots: NodeShape['slots'] = [], gpus = slots.length): NodeShape => ({ name, rack: 'r1', gpus, slots });
const wants = (profile: string, workers = 1, more: Partial<JobSpec> = {}) => ({ gpuProfile: profile, workers, ...more });

const slotsOf = (cluster: FakeCluster, name: string): readonly string[] =>
  (currentAttempt(cluster.job(name))?.placement ?? []).map(({ slot }) => slot ?? 'none');
const waitOf = (cluster: FakeCluster, name: string): string => {
  const wait = cluster.waits.get(cluster.job(name).uid);
  return wait === undefined ? 'runs' : `${wait.kind}: ${describeWait(wait)}`;
};
const problemOf = (replies: readonly Reply[]): unknown =>
  replies.flatMap((reply) => (reply.kind === 'refused' ? [`${reply.field}: ${reply.message}`] : []));

describe('a worker that asks for a profile', () => {
  test('gets one slot of it, of the GPU with the fewest free ones, and its assignment names the slot', () => {
    const cluster = new FakeCluster([node('n1', [sevenths, ['1g.10gb', '3g.40gb', '3g.40gb'], sevenths])]);
    cluster.step([applyJob('a', wants('1g.10gb', 3))]);
    expect(slotsOf(cluster, 'a')).toEqual(['MIG-n1-1-0', 'MIG-n1-0-0', 'MIG-n1-0-1']);
    cluster.step([applyJob('b', wants('1g.10gb', 2))]);
    expect(slotsOf(cluster, 'b')).toEqual(['MIG-n1-0-2', 'MIG-n1-0-3']);
    const [worker] = desiredFor(cluster.view, nodeName('n1')).workers;
    expect(worker?.launch.gpuSlot).toEqual({ profile: '1g.10gb', uuid: 'MIG-n1-1-0' });
  });

  test('comes before a node with more free slots of it', () => {
    const cluster = new FakeCluster([node('n1', [sevenths, sevenths]), node('n2', [['1g.10gb', '1g.10gb']])]);
    cluster.step([applyJob('a', wants('1g.10gb', 2))]);
    expect(slotsOf(cluster, 'a')).toEqual(['MIG-n2-0-0', 'MIG-n2-0-1']);
  });

  test('waits and names the profiles that there are', () => {
    const cluster = new FakeCluster([node('n1', [['3g.40gb', '1g.10gb']]), node('n2', [], 2)]);
    cluster.step([
      applyJob('a', wants('2g.20gb')),
      applyJob('b', wants('3g.40gb', 2)),
      applyJob('c', wants('1g.10gb', 1, { gpuModels: ['A100'] })),
    ]);
    expect(waitOf(cluster, 'a')).toBe('NoSuchGpuProfile: slots of 2g.20gb wanted; the cluster has slots of 1g.10gb, 3g.40gb');
    expect(waitOf(cluster, 'b')).toBe('InsufficientGpus: 2 x 1 GPUs wanted on H100 MIG 3g.40gb; 1 of 2 workers fit now (1 GPUs free)');
    expect(waitOf(cluster, 'c')).toBe('NoSuchGpuModel: GPU model A100 wanted; the cluster has H100');
  });

  test('is refused inside one node when no node has so many slots', () => {
    const cluster = new FakeCluster([node('n1', [['3g.40gb', '3g.40gb']])]);
    const constraints = [{ level: 'node', mode: 'required', waitMs: null }] as const;
    expect(problemOf(cluster.step([applyJob('a', wants('3g.40gb', 3, { constraints }))]))).toEqual([
      'spec.placement.constraints[0].level: 3 workers of a 3g.40gb slot cannot fit one node: the largest node has room for 2',
    ]);
  });
});

test('a job of higher priority is promised the slot of a lower one, and nobody else takes it meanwhile', () => {
  const cluster = new FakeCluster([node('n1', [['3g.40gb', '1g.10gb'], []])]);
  cluster.step([applyJob('low', wants('3g.40gb', 1, { priority: 10 })), applyJob('whole', { gpusPerWorker: 1, priority: 5 })]);
  cluster.tick();
  cluster.tick();
  cluster.step([applyJob('high', wants('3g.40gb', 1, { priority: 50 }))]);
  expect(waitOf(cluster, 'high')).toBe('WaitingForVictims: 1 x 1 GPUs will be free when low has left');
  expect(cluster.job('high').nomination).toMatchObject({ placement: [{ node: 'n1', gpus: [0], slot: 'MIG-n1-0-0' }] });
  cluster.step([applyJob('late', wants('3g.40gb', 1, { priority: 20 }))]);
  cluster.until('it has the slot', () => cluster.job('high').phase.kind === 'active');
  expect(slotsOf(cluster, 'high')).toEqual(['MIG-n1-0-0']);
  expect([cluster.job('whole').attempts.length, cluster.job('late').attempts.length]).toEqual([1, 0]);
});

describe('a GPU that is divided', () => {
  test('is none to jobs of whole GPUs or of parts', () => {
    const cluster = new FakeCluster([node('n1', [sevenths, []])]);
    cluster.step([applyJob('whole', { gpusPerWorker: 1, workers: 2 }), applyJob('part', { gpuShareMilli: 600, workers: 2 })]);
    expect(waitOf(cluster, 'whole')).toContain('1 of 2 workers fit now');
    expect(waitOf(cluster, 'part')).toContain('1 of 2 workers fit now');
    expect(problemOf(cluster.step([applyJob('two', { gpusPerWorker: 2, workers: 1 })]))).toEqual([
      'spec.gpusPerWorker: a worker of 2 GPUs cannot fit a node: the largest node has 1 H100',
    ]);
  });

  test('takes its slots with it when it is sick, and ends who holds one', () => {
    const cluster = new FakeCluster([node('n1', [sevenths, ['1g.10gb']])]);
    cluster.step([applyJob('a', wants('1g.10gb', 1))]);
    expect(slotsOf(cluster, 'a')).toEqual(['MIG-n1-1-0']);
    const agent = cluster.agent('n1');
    agent.setHealth(1, false);
    agent.setHealth(0, false);
    for (let at = 0; at < 5; at += 1) cluster.tick();
    expect(cluster.job('a').attempts[0]?.end?.reasons).toEqual(['GpuFailure']);
    expect(waitOf(cluster, 'a')).toContain('0 of 1 workers fit now');
  });

  test('counts slots by their sevenths in the ledger and under a limit; what is missing to the whole is idle', () => {
    const cluster = new FakeCluster([node('n1', [sevenths, ['3g.40gb', '4g.40gb']])]);
    cluster.step([applyQueue('research', { limit: { H100: 1 } })]);
    const queue = queueName('research');
    cluster.step([
      applyJob('a', wants('1g.10gb', 7, { queue })),
      applyJob('b', wants('3g.40gb', 1, { queue })),
      applyJob('c', wants('3g.40gb')),
    ]);
    expect(slotsOf(cluster, 'a')).toHaveLength(7);
    expect(waitOf(cluster, 'b')).toBe('QueueLimit: queue research may hold 1 H100 GPUs, holds 0.994; 0.428 more wanted');
    expect(cluster.view.ledger.capacityMilli).toBe(2000);
    expect(cluster.view.ledger.freeMilli.idle).toBe(2000 - 7 * 142 - 428);
  });

  test('may not be divided otherwise while somebody holds of it', () => {
    const cluster = new FakeCluster([node('n1', [sevenths])]);
    cluster.step([applyJob('a', wants('1g.10gb'))]);
    const hello = cluster.agent('n1').hello();
    const gpus = hello.inventory.gpus.map((gpu) => ({ ...gpu, slots: gpu.slots?.slice(1) ?? [] }));
    const again = { kind: 'hello', hello: { ...hello, inventory: { ...hello.inventory, gpus } } } as const;
    expect(problemOf(cluster.step([again]))).toEqual(['inventory.gpus[0].slots: GPU 0 is not divided as before, and job a holds of it']);
  });
});

const anyDivision = fc.constantFrom<readonly string[]>(
  [],
  [],
  ['7g.80gb'],
  ['3g.40gb', '3g.40gb'],
  ['3g.40gb', '1g.10gb', '1g.10gb'],
  ['1g.10gb'],
);
const anyCluster = fc.array(
  fc.record({ rack: fc.constantFrom('r1', 'r2'), slots: fc.array(anyDivision, { maxLength: 3 }), sick: fc.nat(5) }),
  {
    minLength: 1,
    maxLength: 3,
  },
);
const anyGang = fc.record({
  kind: fc.constantFrom('whole', '3g.40gb', '1g.10gb', '7g.80gb'),
  workers: fc.integer({ min: 1, max: 4 }),
  level: fc.constantFrom(null, 'rack', 'node'),
  /** The job of this number leaves before it comes. */
  leaves: fc.nat(8),
});
type Gang = typeof anyGang extends fc.Arbitrary<infer G> ? G : never;

interface Place {
  readonly rack: string;
  readonly name: string;
  readonly free: number;
}

/** What is free of the kind on each node, from the inventory and the placements alone. */
function freePlaces({ view }: FakeCluster, kind: string): readonly Place[] {
  const placed = [...view.jobs.values()].flatMap((job) => currentAttempt(job)?.placement ?? []);
  return [...view.nodes.values()].map((one) => {
    const here = placed.filter((place) => place.node === one.name);
    const sound = one.inventory.gpus.filter((gpu) => one.health[gpu.index]?.healthy === true);
    const whole = sound.filter((gpu) => gpu.slots === undefined && !here.some((place) => place.gpus.includes(gpu.index))).length;
    const slots = sound.flatMap((gpu) => gpu.slots ?? []).filter(({ profile }) => profile === kind);
    const free = slots.filter(({ uuid }) => !here.some(({ slot }) => slot === uuid)).length;
    return { rack: one.inventory.path[2] ?? '', name: one.name, free: kind === 'whole' ? whole : free };
  });
}

/** Tries every node for every worker. */
function canPlace(places: readonly Place[], gang: Gang, chosen: readonly Place[] = []): boolean {
  if (chosen.length === gang.workers)
    return new Set(chosen.map((place) => ({ node: place.name, rack: place.rack, none: '' })[gang.level ?? 'none'])).size === 1;
  return places.some(
    (place) => chosen.filter((other) => other === place).length < place.free && canPlace(places, gang, [...chosen, place]),
  );
}

test('"no" is exact, a plan says the same before, and nothing is given twice, whoever comes and goes', () => {
  fc.assert(
    fc.property(anyCluster, fc.array(anyGang, { minLength: 1, maxLength: 7 }), (nodes, gangs) => {
      const cluster = new FakeCluster(nodes.map(({ rack, slots }, at) => ({ ...node(`n${at}`, slots), rack })));
      for (const [at, { sick, slots }] of nodes.entries()) {
        if (sick >= slots.length) continue;
        cluster.agent(`n${at}`).setHealth(sick, false);
        cluster.step([{ kind: 'report', node: nodeName(`n${at}`), report: cluster.agent(`n${at}`).report() }]);
      }
      for (const [at, gang] of gangs.entries()) {
        leave(cluster, gang.leaves);
        const want = canPlace(freePlaces(cluster, gang.kind), gang);
        const request = applyJob(`j${at}`, {
          ...(gang.kind === 'whole' ? {} : { gpuProfile: gang.kind }),
          workers: gang.workers,
          gpusPerWorker: 1,
          preemptible: false,
          constraints: gang.level === null ? [] : [{ level: gang.level, mode: 'required', waitMs: null }],
        });
        const plan = planJob(cluster.view, request, { nowMs: cluster.nowMs, policy });
        const [reply] = cluster.step([request]);
        if (reply?.kind === 'refused') {
          expect(want).toBe(false);
          continue;
        }
        const job = cluster.job(`j${at}`);
        // That no slot has two workers is checked by the cluster after each step.
        expect(job.phase.kind).toBe(want ? 'active' : 'pending');
        expect(plan.decision?.ok).toBe(want);
        if (want) expect(plan.decision).toMatchObject({ placement: job.attempts[0]?.placement });
      }
      expect(cluster.replay()).toBe(printSnapshot(cluster.state));
    }),
    { numRuns: cases(200) },
  );
});

/** The job ends, and its place is free. */
function leave(cluster: FakeCluster, at: number): void {
  const job = [...cluster.view.jobs.values()].find(({ name }) => name === `j${at}`);
  if (job === undefined) return;
  cluster.step([{ kind: 'deleteJob', name: job.name, user: userName('alice'), now: true }]);
  cluster.tick();
  cluster.tick();
}
