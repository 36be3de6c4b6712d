import { expect, test } from 'vitest';
import { defaultLevels } from '#vocabulary/topology.ts';
import type { LinkSpeeds } from './linkSpeeds.ts';
import { linkSpeedsOf, speedNames } from './linkSpeeds.ts';

/** GB/s by what the traffic passes, from the GPU outwards. */
const print = ({ nvlink, node, nodeName, out }: LinkSpeeds): string =>
  [
    `nvlink ${nvlink / 1e9}`,
    `${nodeName} ${node / 1e9}`,
    ...out.toReversed().flatMap(({ name, bytes, rail }) => [...(rail === null ? [] : [`rail ${rail / 1e9}`]), `${name} ${bytes / 1e9}`]),
  ].join(', ');

test.each([
  ['H800', 'nvlink 200, node 32, rail 50, rack 25, block 12.5, zone 6.25, cluster 1.5625'],
  ['H100', 'nvlink 450, node 32, rail 50, rack 25, block 12.5, zone 6.25, cluster 1.5625'],
  ['A100-SXM4-80GB', 'nvlink 300, node 32, rail 25, rack 12.5, block 6.25, zone 3.125, cluster 0.78125'],
  ['another', 'nvlink 32, node 32, rail 12.5, rack 6.25, block 3.125, zone 1.5625, cluster 0.390625'],
])('an %s has speeds of its own', (model, want) => {
  expect(print(linkSpeedsOf(defaultLevels, {}, model))).toBe(want);
});

test('what the cluster gives goes before what is known of the model', () => {
  expect(print(linkSpeedsOf(['rack', 'node'], { nvlink: 160, rack: 40, cluster: 10 }, 'H800'))).toBe(
    'nvlink 160, node 32, rail 50, rack 40, cluster 10',
  );
});

test('a level called nvlink is NVLink over several nodes, and rails begin outside of it', () => {
  expect(print(linkSpeedsOf(['rack', 'nvlink', 'node'], {}, 'GB200'))).toBe(
    'nvlink 900, node 32, nvlink 900, rail 50, rack 25, cluster 12.5',
  );
});

test('speeds are named by what they are the links of', () => {
  expect(speedNames(['zone', 'rack', 'node'])).toEqual(['nvlink', 'rail', 'zone', 'rack', 'node', 'cluster']);
  expect(speedNames(['rack', 'nvlink', 'node'])).toEqual(['nvlink', 'rail', 'rack', 'node', 'cluster']);
});
