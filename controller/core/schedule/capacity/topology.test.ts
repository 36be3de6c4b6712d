import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { nodeName } from '#vocabulary/ids.ts';
import { range } from '../testing/smallCluster.ts';
import type { PlacedNode, Topology } from './topology.ts';
import { compileTopology, domainAbove, domainsInside } from './topology.ts';

/** Trees of 1 to 4 levels; a rack's name comes back in another row. */
const anyTree: fc.Arbitrary<{ readonly depth: number; readonly nodes: readonly PlacedNode[] }> = fc
  .integer({ min: 1, max: 4 })
  .chain((depth) =>
    fc
      .array(fc.array(fc.constantFrom('a', 'b', 'b1'), { minLength: depth - 1, maxLength: depth - 1 }), { maxLength: 12 })
      .map((paths) => ({ depth, nodes: paths.map((path, at) => ({ name: nodeName(`n${at}`), path })) })),
  );

/** A domain by the steps that lead to it. */
const pathOf = (node: PlacedNode | undefined, depth: number): string => [...(node?.path ?? []), node?.name ?? ''].slice(0, depth).join('/');

/** By domain number: the steps that lead to it, read from its first node. */
function pathsOf({ topology, sorted }: { readonly topology: Topology; readonly sorted: readonly PlacedNode[] }): readonly string[] {
  return range(topology.depth + 1).flatMap((depth) =>
    range((topology.levelStart[depth + 1] ?? 0) - (topology.levelStart[depth] ?? 0)).map((at) => {
      const domain = (topology.levelStart[depth] ?? 0) + at;
      return pathOf(sorted[topology.firstNode[domain] ?? 0], depth);
    }),
  );
}

function compile(tree: { readonly depth: number; readonly nodes: readonly PlacedNode[] }) {
  const topology = compileTopology(tree.nodes, tree.depth);
  const byName = new Map(tree.nodes.map((node) => [node.name, node]));
  return { topology, sorted: topology.names.flatMap((name) => byName.get(name) ?? []) };
}

test('nodes are numbered along the paths, whatever order they come in', () => {
  fc.assert(
    fc.property(anyTree, (tree) => {
      const { topology, sorted } = compile(tree);
      expect(sorted).toHaveLength(tree.nodes.length);
      const keys = sorted.map((node) => [...node.path, node.name].join('\u0000'));
      expect(keys).toEqual(keys.toSorted());
      for (const [number, name] of topology.names.entries()) expect(topology.numberOf.get(name)).toBe(number);
      expect(compileTopology([...tree.nodes].reverse(), tree.depth)).toEqual(topology);
    }),
    { numRuns: cases(200) },
  );
});

test('each level has every domain once, and a domain is the run of the nodes below it', () => {
  fc.assert(
    fc.property(anyTree, (tree) => {
      const { topology, sorted } = compile(tree);
      for (const depth of range(tree.depth + 1).slice(1)) {
        const [first, end] = [topology.levelStart[depth] ?? 0, topology.levelStart[depth + 1] ?? 0];
        const paths = pathsOf({ topology, sorted }).slice(first, end);
        expect(paths).toEqual([...new Set(sorted.map((node) => pathOf(node, depth)))]);
        for (const [at, path] of paths.entries()) {
          const below = range(sorted.length).filter((node) => pathOf(sorted[node], depth) === path);
          const [from, to] = [topology.firstNode[first + at] ?? 0, topology.endNode[first + at] ?? 0];
          expect(range(to - from).map((node) => from + node)).toEqual(below);
          for (const node of below) expect(domainAbove(topology, node, depth)).toBe(first + at);
        }
      }
      expect([topology.levelStart[0], topology.firstNode[0], topology.endNode[0]]).toEqual([0, 0, sorted.length]);
      expect(topology.parent).toHaveLength(topology.levelStart[tree.depth + 1] ?? 0);
    }),
    { numRuns: cases(200) },
  );
});

test('children are the run of those who name the domain as their parent, and so are all domains of a depth inside it', () => {
  fc.assert(
    fc.property(anyTree, (tree) => {
      const { topology, sorted } = compile(tree);
      const paths = pathsOf({ topology, sorted });
      const depthOf = (domain: number): number =>
        range(tree.depth + 1).findLast((depth) => (topology.levelStart[depth] ?? 0) <= domain) ?? 0;
      expect(topology.parent[0]).toBe(-1);
      for (const [domain, path] of paths.entries()) {
        const depth = depthOf(domain);
        const [first, end] = [topology.firstChild[domain] ?? 0, topology.endChild[domain] ?? 0];
        const children = range(paths.length).filter((child) => topology.parent[child] === domain);
        expect(range(end - first).map((child) => first + child)).toEqual(children);
        for (const child of children) expect(depth === 0 || paths[child]?.startsWith(`${path}/`)).toBe(true);
        for (const inner of sorted.length === 0 ? [] : range(tree.depth + 1).slice(depth)) {
          const [from, to] = domainsInside(topology, { domain, depth }, inner);
          const inside = range(paths.length).filter(
            (each) => depthOf(each) === inner && (each === domain || depth === 0 || paths[each]?.startsWith(`${path}/`)),
          );
          expect(range(to - from).map((each) => from + each)).toEqual(inside);
        }
      }
    }),
    { numRuns: cases(200) },
  );
});
