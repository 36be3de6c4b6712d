import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { chooseGpus } from '../gang/chooseGpus.ts';
import { holdsOf } from '../gang/findPlacement.ts';
import type { Change } from '../testing/churn.ts';
import { anyChange, anyNodes, fittingHold } from '../testing/churn.ts';
import { range } from '../testing/smallCluster.ts';
import { Capacity } from './capacity.ts';
import { Room } from './room.ts';
import type { WorkerShape } from './shape.ts';
import { slotsOn, wholeGpus } from './shape.ts';
import type { CountRule } from './slotCounts.ts';
import { SlotCounts } from './slotCounts.ts';

const anyShape: fc.Arbitrary<WorkerShape> = fc
  .record({
    model: fc.constantFrom(null, 'A100', 'H100', 'B200'),
    gpus: fc.integer({ min: 1, max: 3 }),
    gpuMilli: fc.constantFrom(1_000, 1_000, 500, 300),
    cpuMilli: fc.constantFrom(0, 0, 500, 3_000),
    memoryBytes: fc.constantFrom(0, 0, 20),
  })
  .map((shape) => ({ ...shape, gpus: shape.model === null ? 0 : shape.gpuMilli < 1_000 ? 1 : shape.gpus }));

const anyRule: fc.Arbitrary<CountRule> = fc.record({
  shape: anyShape,
  allowed: fc.option(
    fc.array(fc.nat(1), { minLength: 6, maxLength: 6 }).map((bits) => Uint8Array.from(bits)),
    { freq: 2 },
  ),
});

function churn(capacity: Capacity, { kind, node: position, pick }: Change): void {
  const node = position % capacity.nodes;
  const [held] = capacity.holdsOf(node);
  if (kind === 'take') capacity.take(fittingHold(capacity, node, pick));
  else if (kind === 'give' && held !== undefined) capacity.give(held);
  else if (kind === 'setNode') capacity.setNode(node, { ...capacity.factsOf(node), open: pick % 3 > 0 }, capacity.holdsOf(node));
  else if (kind === 'rollback') {
    const mark = capacity.mark();
    capacity.take(fittingHold(capacity, node, pick));
    capacity.rollback(mark);
  }
}

/** Without any memory: node by node, then summed over the nodes of each domain. */
function freshCount(capacity: Capacity, { shape, allowed }: CountRule): readonly number[] {
  const { firstNode, endNode, parent } = capacity.topology;
  const onNode = range(capacity.nodes).map((node) => (allowed !== null && allowed[node] !== 1 ? 0 : slotsOn(capacity, node, shape)));
  return range(parent.length).map((domain) => onNode.slice(firstNode[domain], endNode[domain]).reduce((sum, slots) => sum + slots, 0));
}

describe('kept counts', () => {
  test('are what a fresh count gives after any changes, and the least node is the least', () => {
    fc.assert(
      fc.property(
        anyNodes,
        anyRule,
        fc.array(fc.array(anyChange, { maxLength: 8 }), { maxLength: 8 }),
        fc.integer({ min: 1, max: 3 }),
        (nodes, rule, rounds, workers) => {
          const capacity = Capacity.of(nodes, 2);
          const counts = new SlotCounts(capacity, rule);
          const room = new Room(capacity);
          for (const round of rounds) {
            for (const each of round) churn(capacity, each);
            expect([...counts.read()]).toEqual(freshCount(capacity, rule));
            const asked = rule.allowed === null ? null : { key: 'mask', mask: rule.allowed };
            expect([...room.slots(rule.shape, asked)]).toEqual(freshCount(capacity, rule));
            const plain = wholeGpus('A100', 1);
            const enough = freshCount(capacity, { shape: plain, allowed: null }).slice(capacity.topology.levelStart[2]);
            const least = Math.min(...enough.filter((slots) => slots >= workers));
            expect(room.tightestNode(plain, workers)).toBe(capacity.modelNumber('A100') < 0 ? -1 : enough.indexOf(least));
          }
        },
      ),
      { numRuns: cases(150) },
    );
  });

  test('are right when more happened between two questions than the capacity remembers', () => {
    fc.assert(
      fc.property(
        anyNodes,
        anyRule,
        fc.array(anyChange, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1_000, max: 1_100 }),
        (nodes, rule, changes, many) => {
          const capacity = Capacity.of(nodes, 2);
          const counts = new SlotCounts(capacity, rule);
          const position = capacity.changes;
          for (let at = 0; at < many; at += 1) {
            capacity.setNode(0, capacity.factsOf(0), capacity.holdsOf(0));
            const each = changes[at % changes.length];
            if (each !== undefined && at < 200) churn(capacity, each);
          }
          expect([...counts.read()]).toEqual(freshCount(capacity, rule));
          if (capacity.changes - position > 2_100) expect(capacity.changedSince(position)).toBeNull();
          for (const each of changes) churn(capacity, each);
          expect([...counts.read()]).toEqual(freshCount(capacity, rule));
        },
      ),
      { numRuns: cases(50) },
    );
  });
});

describe('how many workers of a shape fit on a node', () => {
  test('is how many can be placed there one after the other, and the chosen GPUs hold them all at once', () => {
    fc.assert(
      fc.property(anyNodes, fc.array(anyChange, { maxLength: 12 }), anyShape, (nodes, changes, shape) => {
        const capacity = Capacity.of(nodes, 2);
        for (const each of changes) churn(capacity, each);
        for (const node of range(capacity.nodes)) {
          const slots = slotsOn(capacity, node, shape);
          expect(slots).toBe(naiveSlots(capacity, node, shape));
          const chosen = chooseGpus(capacity, node, shape, slots);
          expect(chosen.map((gpus) => gpus.length)).toEqual(range(slots).map(() => shape.gpus));
          const number = shape.model === null ? -1 : capacity.modelNumber(shape.model);
          for (const gpu of chosen.flat()) expect(capacity.freeMilli(node, gpu, number)).toBeGreaterThanOrEqual(shape.gpuMilli);
          const holds = holdsOf(
            null,
            shape,
            chosen.map((gpus) => ({ node, gpus })),
          );
          for (const [at, hold] of holds.entries()) {
            capacity.take(hold);
            expect(slotsOn(capacity, node, shape)).toBe(slots - at - 1);
          }
        }
      }),
      { numRuns: cases(150) },
    );
  });
});

/** From the facts and the holds alone. */
function naiveSlots(capacity: Capacity, node: number, shape: WorkerShape): number {
  const { open, gpus, cpuMilli, memoryBytes } = capacity.factsOf(node);
  if (!open) return 0;
  const holds = capacity.holdsOf(node);
  const sum = (of: (hold: (typeof holds)[number]) => number): number => holds.reduce((total, hold) => total + of(hold), 0);
  const perGpu = gpus
    .filter((gpu) => gpu.healthy && gpu.model === shape.model)
    .map((gpu) => Math.floor((1_000 - sum((hold) => (hold.gpus.includes(gpu.index) ? hold.gpuMilli : 0))) / shape.gpuMilli));
  const byGpus =
    shape.gpus === 0
      ? 64 - holds.filter((hold) => hold.gpus.length === 0).length
      : Math.floor(perGpu.reduce((total, fit) => total + fit, 0) / shape.gpus);
  const byCpu = cpuMilli === null || shape.cpuMilli === 0 ? byGpus : Math.floor((cpuMilli - sum((hold) => hold.cpuMilli)) / shape.cpuMilli);
  const byMemory =
    memoryBytes === null || shape.memoryBytes === 0
      ? byGpus
      : Math.floor((memoryBytes - sum((hold) => hold.memoryBytes)) / shape.memoryBytes);
  return Math.max(0, Math.min(byGpus, byCpu, byMemory));
}
