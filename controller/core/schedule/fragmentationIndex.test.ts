import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cases } from '#test/cases.ts';
import type { NodeRoom, ShapeRequest } from './fragmentation.ts';
import { gpuChoices, roomAfter, sumIdle } from './fragmentation.ts';
import { FragmentationIndex } from './fragmentationIndex.ts';
import type { Outlook } from './leftover.ts';
import { compileOutlook, leftoverMilli } from './leftover.ts';

const outlook = compileOutlook([ask(1, 1000, 10), ask(1, 500, 3), ask(1, 300, 3), ask(4, 1000, 1)]);

function ask(gpus: number, gpuMilli: number, weight = 1): ShapeRequest & { readonly weight: number } {
  return { gpus, gpuMilli, cpuMilli: gpus * gpuMilli * 10, memoryBytes: gpus * gpuMilli, models: [], weight };
}

function room(gpuMilliFree: readonly number[], cpuMilliFree = 80_000): NodeRoom {
  return { gpuMilliFree, cpuMilliFree, memoryBytesFree: 100_000, model: 'T4' };
}

function indexOf(rooms: Readonly<Record<string, NodeRoom>>, seen: Outlook = outlook): FragmentationIndex {
  const index = new FragmentationIndex(seen);
  for (const [name, each] of Object.entries(rooms)) index.set(name, each);
  return index;
}

/** Every node and GPU looked at, nothing remembered. */
function chooseSlowly(rooms: ReadonlyMap<string, NodeRoom>, request: ShapeRequest): string | null {
  const found = [...rooms].flatMap(([name, each]) =>
    gpuChoices(each, request).map((gpus) => {
      const after = roomAfter(each, request, gpus);
      const added = leftoverMilli(after, outlook) - leftoverMilli(each, outlook);
      return { name, order: [added, sumIdle(after), after.cpuMilliFree] };
    }),
  );
  found.sort((one, other) => {
    const at = one.order.findIndex((value, index) => value !== other.order[index]);
    return at < 0 ? (one.name < other.name ? -1 : 1) : (one.order[at] ?? 0) - (other.order[at] ?? 0);
  });
  return found[0]?.name ?? null;
}

describe('FragmentationIndex', () => {
  it('fills a piece that fits exactly before it opens another GPU', () => {
    const index = indexOf({ a: room([1000, 1000]), b: room([1000, 500]), c: room([1000, 700]) });
    expect(index.choose(ask(1, 500))).toEqual({ node: 'b', gpus: [1] });
  });

  it('keeps away from a node whose CPU would starve its other GPUs', () => {
    const index = indexOf({ a: room([1000, 1000], 15_000), b: room([1000, 1000, 1000], 30_000) });
    expect(index.choose({ ...ask(1, 1000), cpuMilli: 14_000 })?.node).toBe('a');
    expect(index.choose({ ...ask(0, 0), cpuMilli: 5_000 })?.node).not.toBe('b');
  });

  it('finds the GPU by what is free on it, wherever the nodes of a group have it', () => {
    const index = indexOf({ b: room([500, 1000]), a: room([1000, 500]) });
    expect(index.choose(ask(1, 500))).toEqual({ node: 'a', gpus: [1] });
    index.remove('a');
    expect(index.choose(ask(1, 500))).toEqual({ node: 'b', gpus: [0] });
  });

  it('says null when it fits nowhere, and after the last node left', () => {
    const index = indexOf({ a: room([400]) });
    expect(index.choose(ask(1, 500))).toBeNull();
    index.remove('a');
    index.remove('a');
    expect(index.choose(ask(1, 100))).toBeNull();
  });

  it('judges anew when other requests are popular', () => {
    const rooms = { a: room([700], 0), b: room([600], 0) };
    const request = { ...ask(1, 500), cpuMilli: 0, memoryBytes: 0 };
    const index = indexOf(rooms, compileOutlook([ask(1, 200), ask(1, 500)]));
    expect(index.choose(request)?.node).toBe('a'); // leaves 200, b would leave 100
    index.setOutlook(compileOutlook([ask(1, 100), ask(1, 500)]));
    expect(index.choose(request)?.node).toBe('b'); // both leave what will be used: the least idle decides
  });

  it('remembers without being wrong: every choice is the one of a search that remembers nothing', () => {
    const sizes = fc.constantFrom(ask(1, 1000), ask(1, 500), ask(1, 300), ask(2, 1000), ask(4, 1000), { ...ask(0, 0), cpuMilli: 7_000 });
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 6 }),
        fc.array(sizes, { maxLength: 40 }),
        (gpus, asked) => {
          const rooms = new Map(gpus.map((count, at) => [`n${at}`, room(new Array<number>(count).fill(1000), count * 10_500)]));
          const index = indexOf(Object.fromEntries(rooms));
          for (const request of asked) {
            const choice = index.choose(request);
            expect(choice?.node ?? null).toBe(chooseSlowly(rooms, request));
            const before = choice === null ? undefined : rooms.get(choice.node);
            if (choice === null || before === undefined) continue;
            const after = roomAfter(before, request, choice.gpus);
            expect(Math.min(after.cpuMilliFree, ...after.gpuMilliFree)).toBeGreaterThanOrEqual(0);
            rooms.set(choice.node, after);
            index.set(choice.node, after);
          }
        },
      ),
      { numRuns: cases(60) },
    );
  });

  it('does not depend on the order in which nodes became known', () => {
    const rooms = { a: room([1000, 500]), b: room([1000, 500]), c: room([300, 1000]) };
    const turned = Object.fromEntries(Object.entries(rooms).toReversed());
    expect(indexOf(turned).choose(ask(1, 300))).toEqual(indexOf(rooms).choose(ask(1, 300)));
  });
});
