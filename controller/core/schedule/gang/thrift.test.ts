import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { planJob } from '#core/plan.ts';
import { printSnapshot, restoreSnapshot } from '#core/state/snapshot.ts';
import { parseSnapshot } from '#controller/loop/logLine.ts';
import { applyJob, FakeCluster, policy } from '#test/simulation/fakeCluster.ts';
import { nodeName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import { AddedLeftover } from '../capacity/addedLeftover.ts';
import type { NodeFacts } from '../capacity/capacity.ts';
import { Capacity } from '../capacity/capacity.ts';
import { Room } from '../capacity/room.ts';
import type { WorkerShape } from '../capacity/shape.ts';
import { slotsOn } from '../capacity/shape.ts';
import type { NodeRoom, PopularShape } from '../fragmentation.ts';
import type { Outlook } from '../leftover.ts';
import { compileOutlook, leftoverMilli } from '../leftover.ts';
import type { Change } from '../testing/churn.ts';
import { anyChange, anyNodes, fittingHold } from '../testing/churn.ts';
import { range } from '../testing/smallCluster.ts';
import { findPlacement, holdsOf } from './findPlacement.ts';
import { anywhere } from './gangRequest.ts';

const asked = (gpus: number, gpuMilli: number, cpuMilli = 0, weight = 16): PopularShape => ({
  gpus,
  gpuMilli,
  cpuMilli,
  memoryBytes: 0,
  models: [],
  weight,
});
const shapeOf = (gpus: number, gpuMilli: number, cpuMilli = 0, model = 'H100'): WorkerShape => ({
  model: gpus === 0 ? null : model,
  gpus,
  gpuMilli,
  cpuMilli,
  memoryBytes: 0,
});
const single = (shape: WorkerShape) => anywhere([{ workers: 1, shape, segments: [] }]);

function roomOf(nodes: readonly { readonly gpus: number; readonly cpuMilli?: number }[], outlook: Outlook | null): Room {
  const facts = nodes.map(
    ({ gpus, cpuMilli }, at): NodeFacts => ({
      name: nodeName(`n${at}`),
      path: ['r1'],
      open: true,
      cpuMilli: cpuMilli ?? null,
      memoryBytes: null,
      labels: {},
      gpus: range(gpus).map((index) => ({ index, model: 'H100', nvlinkDomain: null, healthy: true })),
    }),
  );
  const room = new Room(Capacity.of(facts, 2));
  room.outlook = outlook;
  return room;
}

function take(room: Room, shape: WorkerShape): string {
  const spots = findPlacement(room, single(shape))?.[0] ?? [];
  for (const hold of holdsOf(null, shape, spots)) room.capacity.take(hold);
  return spots.map(({ node, gpus }) => `n${node}:${gpus.join(',')}`).join(' ');
}

function churn(capacity: Capacity, { kind, node: position, pick }: Change): void {
  const node = position % capacity.nodes;
  const [held] = capacity.holdsOf(node);
  if (kind === 'take') capacity.take(fittingHold(capacity, node, pick));
  else if (kind === 'give' && held !== undefined) capacity.give(held);
  else if (kind === 'setNode') capacity.setNode(node, { ...capacity.factsOf(node), open: pick % 3 > 0 }, capacity.holdsOf(node));
}

describe('a single worker', () => {
  const outlook = compileOutlook([asked(1, 700), asked(1, 300)]);

  test('of a part goes where the rest is still what others ask, though another GPU is tighter', () => {
    const held = (room: Room): void => {
      room.capacity.take({ owner: null, node: 0, gpus: [0], gpuMilli: 300, cpuMilli: 0, memoryBytes: 0 });
    };
    const [tight, thrifty] = [roomOf([{ gpus: 2 }], null), roomOf([{ gpus: 2 }], outlook)];
    held(tight);
    held(thrifty);
    expect(take(tight, shapeOf(1, 300))).toBe('n0:0');
    expect(take(thrifty, shapeOf(1, 300))).toBe('n0:1');
    expect(take(thrifty, shapeOf(1, 700))).toBe('n0:0');
  });

  test('of whole GPUs alone goes by best-fit', () => {
    const room = roomOf([{ gpus: 4 }, { gpus: 2 }], outlook);
    expect(take(room, shapeOf(2, 1000))).toBe('n1:0,1');
  });

  test('without GPUs keeps off the CPU that idle GPUs need', () => {
    const cpu = compileOutlook([asked(1, 1000, 8_000)]);
    const nodes = [
      { gpus: 8, cpuMilli: 64_000 },
      { gpus: 2, cpuMilli: 64_000 },
    ];
    expect(take(roomOf(nodes, null), shapeOf(0, 1000, 32_000))).toBe('n0:');
    expect(take(roomOf(nodes, cpu), shapeOf(0, 1000, 32_000))).toBe('n1:');
  });

  test('finds a place exactly when there is one, and holds what it was given', () => {
    const anyShape = fc.constantFrom(shapeOf(1, 300), shapeOf(1, 500, 2_000), shapeOf(2, 1000, 500, 'A100'), shapeOf(0, 1000, 1_000));
    fc.assert(
      fc.property(anyNodes, fc.array(anyChange, { maxLength: 12 }), fc.array(anyShape, { maxLength: 6 }), (nodes, changes, shapes) => {
        const room = new Room(Capacity.of(nodes, 2));
        room.outlook = outlook;
        for (const each of changes) churn(room.capacity, each);
        for (const shape of shapes) {
          const fits = range(nodes.length).some((node) => slotsOn(room.capacity, node, shape) > 0);
          const spots = findPlacement(room, single(shape))?.[0] ?? null;
          expect(spots !== null).toBe(fits);
          // A GPU that is given twice throws.
          for (const hold of holdsOf(null, shape, spots ?? [])) room.capacity.take(hold);
        }
      }),
      { numRuns: cases(200) },
    );
  });
});

test('what a place adds is what the measure says of the node before and after, whatever changed in between', () => {
  const outlook = compileOutlook([asked(1, 700, 4_000), asked(1, 300, 1_000), asked(0, 0, 1_000)]);
  const roomAt = (capacity: Capacity, node: number): NodeRoom => ({
    cpuMilliFree: capacity.cpuFreeMilli(node),
    memoryBytesFree: capacity.memoryFreeBytes(node),
    model: '',
    gpuMilliFree: range(capacity.gpusOf(node)).map((gpu) => capacity.freeMilli(node, gpu)),
  });
  fc.assert(
    fc.property(anyNodes, fc.array(anyChange, { maxLength: 30 }), (nodes, changes) => {
      const capacity = Capacity.of(nodes, 2);
      const shape = shapeOf(1, 300, 1_000);
      const kept = new AddedLeftover(capacity, shape, outlook);
      const { levelStart, depth } = capacity.topology;
      const only = (node: number): Int32Array =>
        new Int32Array(capacity.topology.parent.length).fill(1, (levelStart[depth] ?? 0) + node, (levelStart[depth] ?? 0) + node + 1);
      for (const each of changes) {
        churn(capacity, each);
        for (const node of range(capacity.nodes)) {
          if (slotsOn(capacity, node, shape) === 0) continue;
          const before = roomAt(capacity, node);
          const costs = before.gpuMilliFree.flatMap((free, gpu) => {
            if (capacity.freeMilli(node, gpu, capacity.modelNumber('H100')) < 300) return [];
            const after = { ...before, cpuMilliFree: before.cpuMilliFree - 1_000, gpuMilliFree: before.gpuMilliFree.with(gpu, free - 300) };
            return [leftoverMilli(after, outlook) - leftoverMilli(before, outlook)];
          });
          expect(kept.best(only(node))).toMatchObject({ node, addedMilli: Math.min(...costs) });
        }
      }
    }),
    { numRuns: 100 },
  );
});

describe('in a pass', () => {
  const anySpec: fc.Arbitrary<Partial<JobSpec>> = fc
    .record({
      share: fc.constantFrom(null, 300, 500, 700),
      cpuMilli: fc.constantFrom(null, 1_000, 16_000),
      gpus: fc.integer({ min: 0, max: 2 }),
    })
    .map(({ share, cpuMilli, gpus }) => ({
      ...(share === null ? { gpusPerWorker: gpus } : { gpuShareMilli: share }),
      template: { command: ['train'], env: {}, workingDirectory: '', cpuMilli, memoryBytes: null },
    }));

  test('a plan says where the job goes, a restored state goes on as the first would, and the log gives the same table', () => {
    fc.assert(
      fc.property(fc.array(anySpec, { minLength: 1, maxLength: 12 }), fc.nat(11), (specs, restart) => {
        const shapes = ['H100', 'A100', 'H100'].map((model, at) => ({ name: `n${at}`, rack: 'r1', gpus: 4 - at, model }));
        const cluster = new FakeCluster(shapes);
        for (const [at, spec] of specs.entries()) {
          const request = applyJob(`j${at}`, spec);
          const plan = planJob(cluster.view, request, { nowMs: cluster.nowMs, policy });
          if (at === restart) {
            const restored = restoreSnapshot(parseSnapshot(printSnapshot(cluster.view)));
            expect(planJob(restored, request, { nowMs: cluster.nowMs, policy })).toEqual(plan);
          }
          const [reply] = cluster.step([request]);
          if (reply?.kind === 'refused') continue;
          const [attempt] = cluster.job(`j${at}`).attempts;
          expect(plan.decision).toMatchObject(
            attempt === undefined ? { ok: false } : { ok: true, placement: attempt.placement, model: attempt.model },
          );
        }
        expect(cluster.replay()).toBe(printSnapshot(cluster.view));
      }),
      { numRuns: 40 },
    );
  });

  test('a worker that takes any model goes to the one where it leaves least', () => {
    const cluster = new FakeCluster([
      { name: 'n1', rack: 'r1', gpus: 1, model: 'A100' },
      { name: 'n2', rack: 'r1', gpus: 1, model: 'H100' },
    ]);
    cluster.step([applyJob('a', { gpuShareMilli: 700, gpuModels: ['H100'] })]);
    for (const at of range(3)) cluster.step([applyJob(`b${at}`, { gpuShareMilli: 100, gpuModels: ['A100'] })]);
    cluster.step([applyJob('c', { gpuShareMilli: 300 })]);
    expect(cluster.job('c').attempts[0]?.placement[0]?.node).toBe('n2');
  });
});
