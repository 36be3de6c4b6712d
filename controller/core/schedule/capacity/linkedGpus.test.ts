import { expect, test } from 'vitest';
import type { LinkedGpu } from './linkedGpus.ts';
import { LinkedGpus } from './linkedGpus.ts';

const gpusOf = (...links: readonly (readonly [index: number, domain: number | null])[]): readonly LinkedGpu[] =>
  links.map(([index, nvlinkDomain]) => ({ index, nvlinkDomain }));

test('GPUs stand by NVLink domain in order of index, those without one first', () => {
  const linked = new LinkedGpus(1);
  expect(linked.of(0, gpusOf([3, 1], [0, 2], [2, null], [1, 1], [4, null]))).toEqual([[2, 4], [1, 3], [0]]);
});

test('alike nodes share their groups, others do not, and a node that became another one is looked at again', () => {
  const linked = new LinkedGpus(3);
  const pairs = linked.of(0, gpusOf([0, 0], [1, 0]));
  expect(linked.of(1, gpusOf([0, 0], [1, 0]))).toBe(pairs);
  expect(linked.of(2, gpusOf([0, 0], [1, 1]))).toEqual([[0], [1]]);
  expect(linked.of(0, gpusOf([0, 0], [1, 1]))).toBe(pairs);
  linked.forget(0);
  expect(linked.of(0, gpusOf([0, 0], [1, 1]))).toEqual([[0], [1]]);
});
