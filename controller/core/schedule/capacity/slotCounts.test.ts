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
  units: fc.option(
    fc.record({
      // The topology has two levels: cluster, racks, nodes.
      size: fc.constantFrom([1, 1, 1], [2, 2, 1], [4, 2, 1], [4, 4, 4], [6, 3, 3], [2, 1, 1]),
      spread: fc.option(fc.record({ depth: fc.integer({ min: 0, max: 2 }), max: fc.integer({ min: 1, max: 5 }) })),
    }),
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

/** Without any memory: node by node, then the children of each domain, from the nodes up. */
function freshCount(capacity: Capacity, { shape, allowed, units }: CountRule): readonly number[] {
  const { levelStart, firstChild, endChild, parent, depth } = capacity.topology;
  const onNode = range(capacity.nodes).map((node) => (allowed !== null && allowed[node] !== 1 ? 0 : slotsOn(capacity, node, shape)));
  const counts: number[] = [];
  for (const domain of range(parent.length).toReversed()) {
    const level = range(depth + 1).findLast((each) => (levelStart[each] ?? 0) <= domain) ?? 0;
    const children = range((endChild[domain] ?? 0) - (firstChild[domain] ?? 0)).map((at) => counts[(firstChild[domain] ?? 0) + at] ?? 0);
    const workers = level === depth ? (onNode[domain - (levelStart[depth] ?? 0)] ?? 0) : children.reduce((sum, count) => sum + count, 0);
    const size = units?.size[level] ?? 1;
    const whole = Math.floor((workers * (level === depth ? 1 : (units?.size[level + 1] ?? 1))) / size);
    const spread = units?.spread ?? null;
    counts[domain] = spread === null || level < spread.depth ? whole : Math.min(whole, Math.floor(spread.max / size));
  }
  return counts;
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
            expect([...room.slots(rule.shape, { ...rule, allowed: asked })]).toEqual(freshCount(capacity, rule));
            for (const each of [
              rule,
              { ...rule, shape: wholeGpus('A100', 1) },
              { shape: wholeGpus('A100', 1), allowed: null, units: null },
            ]) {
              const enough = freshCount(capacity, each).slice(capacity.topology.levelStart[2]);
              const least = enough.indexOf(Math.min(...enough.filter((slots) => slots >= workers)));
              const node = room.tightestNode(each.shape, { ...each, allowed: each.allowed === null ? null : asked }, workers) ?? -1;
              // Of nodes with as many slots that with the fewest free GPUs is preferred, where these tell.
              if (each.shape.gpus > 1) expect(enough[node]).toBe(enough[least]);
              else expect(node).toBe(least);
            }
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
