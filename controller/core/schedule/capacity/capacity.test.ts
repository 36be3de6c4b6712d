import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import type { Change } from '../testing/churn.ts';
import { anyChange, anyNodes, fittingHold, naivePicture } from '../testing/churn.ts';
import { buildSmallCluster, freeNode, holdOf, pictureOf } from '../testing/smallCluster.ts';
import type { Hold, NodeFacts } from './capacity.ts';
import { Capacity } from './capacity.ts';

interface NaiveNode {
  readonly facts: NodeFacts;
  readonly holds: readonly Hold[];
}

/** The same cluster as plain lists: a trial is a copy of all that is held, put back when it is undone. */
class Naive {
  nodes: readonly NaiveNode[];
  trials: { readonly mark: number; readonly holds: readonly (readonly Hold[])[] }[] = [];

  constructor(capacity: Capacity) {
    this.nodes = capacity.topology.names.map((_, node) => ({ facts: capacity.factsOf(node), holds: [] }));
  }

  set(node: number, change: Partial<NaiveNode>): void {
    this.nodes = this.nodes.map((each, at) => (at === node ? { ...each, ...change } : each));
  }

  holdsOf(node: number): readonly Hold[] {
    return this.nodes[node]?.holds ?? [];
  }
}

/** Makes the change in both. */
function change(capacity: Capacity, naive: Naive, { kind, node: position, pick }: Change): void {
  const node = position % capacity.nodes;
  switch (kind) {
    case 'take': {
      const hold = fittingHold(capacity, node, pick);
      capacity.take(hold);
      return naive.set(node, { holds: [...naive.holdsOf(node), hold] });
    }
    case 'give': {
      const hold = naive.holdsOf(node)[pick % Math.max(1, naive.holdsOf(node).length)];
      if (hold === undefined) return;
      capacity.give(hold);
      return naive.set(node, { holds: naive.holdsOf(node).filter((each) => each !== hold) });
    }
    case 'mark':
      naive.trials.push({ mark: capacity.mark(), holds: naive.nodes.map((each) => each.holds) });
      return;
    case 'rollback': {
      const trial = naive.trials.pop();
      if (trial === undefined) return;
      capacity.rollback(trial.mark);
      naive.nodes = naive.nodes.map((each, at) => ({ ...each, holds: trial.holds[at] ?? [] }));
      return;
    }
    case 'keep':
      if (naive.trials.pop() !== undefined) capacity.keep();
      return;
    case 'setNode':
      return setNode(capacity, naive, { node, pick });
  }
}

/** One GPU changes its health, the node opens or closes, and half of what is held there is gone. */
function setNode(capacity: Capacity, naive: Naive, { node, pick }: { readonly node: number; readonly pick: number }): void {
  if (naive.trials.length > 0) return;
  const before = capacity.factsOf(node);
  const gpus = before.gpus.map((gpu, at) => (at === pick % 3 ? { ...gpu, healthy: !gpu.healthy } : gpu));
  const facts = { ...before, open: pick % 5 > 0, gpus };
  const holds = naive.holdsOf(node).filter((_, at) => (pick + at) % 2 === 0);
  capacity.setNode(node, facts, holds);
  naive.set(node, { facts, holds });
}

describe('a capacity', () => {
  test('reads as a fresh count of facts and holds does, after changes and trials within trials', () => {
    fc.assert(
      fc.property(anyNodes, fc.array(anyChange, { maxLength: 40 }), (nodes, changes) => {
        const capacity = Capacity.of(nodes, 2);
        const naive = new Naive(capacity);
        for (const each of changes) {
          change(capacity, naive, each);
          expect(pictureOf(capacity)).toEqual(naivePicture(capacity, naive.nodes));
        }
      }),
      { numRuns: cases(150) },
    );
  });

  test('and its copy go separate ways', () => {
    fc.assert(
      fc.property(anyNodes, fc.array(anyChange, { maxLength: 20 }), fc.array(anyChange, { maxLength: 20 }), (nodes, before, after) => {
        const capacity = Capacity.of(nodes, 2);
        const naive = new Naive(capacity);
        for (const each of before) change(capacity, naive, each);
        const other = capacity.copy();
        const otherNaive = new Naive(other);
        otherNaive.nodes = naive.nodes;
        const was = pictureOf(capacity);
        expect(pictureOf(other)).toEqual(was);
        for (const each of after) change(other, otherNaive, each);
        expect(pictureOf(other)).toEqual(naivePicture(other, otherNaive.nodes));
        expect(pictureOf(capacity)).toEqual(was);
        for (const each of after) change(capacity, naive, each);
        expect(pictureOf(other)).toEqual(naivePicture(other, otherNaive.nodes));
      }),
      { numRuns: cases(100) },
    );
  });

  test('refuses to give one GPU twice, or back what nobody holds', () => {
    const { capacity } = buildSmallCluster([freeNode(0, 2)]).room;
    capacity.take(holdOf('a', 0, [1]));
    expect(() => capacity.take(holdOf('b', 0, [1]))).toThrow('GPU 1 of n0 has 0 milli free, 1000 are moved');
    expect(() => capacity.give(holdOf('b', 0, [0]))).toThrow('GPU 0 of n0 has 1000 milli free, 1000 are moved');
  });

  test('names every node that changed since a position, or says that it cannot', () => {
    fc.assert(
      fc.property(anyNodes, fc.array(anyChange, { maxLength: 30 }), fc.nat(30), (nodes, changes, from) => {
        const capacity = Capacity.of(nodes, 2);
        const naive = new Naive(capacity);
        for (const each of changes.slice(0, from)) change(capacity, naive, each);
        const [position, was] = [capacity.changes, naive.nodes];
        for (const each of changes.slice(from)) change(capacity, naive, each);
        const named = capacity.changedSince(position) ?? nodes.keys().toArray();
        for (const [node, now] of naive.nodes.entries())
          if (now.holds !== was[node]?.holds || now.facts !== was[node].facts) expect(named).toContain(node);
      }),
      { numRuns: cases(100) },
    );
  });
});
