import { expect, test } from 'vitest';
import { parseCluster } from './parseCluster.ts';

const scenario = `apiVersion: shoal.dev/v1
kind: Scenario
metadata: {name: backfill}
cluster:
  levels: [zone, node]
  nodes:
    - {name: n1, path: [z1], gpus: 4}
  pools:
    - {name: h800, count: 1200, gpus: 4, model: H800, shape: {zone: 2}}
`;

test('a whole scenario, its cluster part with the name and without give the same cluster', () => {
  const cluster = scenario.slice(scenario.indexOf('cluster:'));
  const bare = cluster.replace('cluster:\n', '').replaceAll(/^ {2}/gm, '');
  for (const text of [scenario, cluster, bare]) expect(parseCluster(text, 'c.yaml')).toEqual({ nodes: 1_201, nodeGpus: 4 });
});

test.each([
  [
    'nodes of two sizes',
    'nodes:\n- {gpus: 8}\n- {gpus: 4}',
    'c.yaml:3: nodes[1].gpus: 4, but the nodes before have 8: a replay takes nodes of one size only',
  ],
  ['a size that is none', 'pools:\n- count: 2\n  gpus: many', 'c.yaml:3: pools[0].gpus: "many": must be a whole number from 1 to 64'],
  ['a pool without a count', 'pools:\n- {gpus: 8}', 'c.yaml:2: pools[0].count: must be a whole number from 1 to 1000000'],
  ['nothing', 'levels: [node]', 'c.yaml: no nodes; give them under nodes or pools'],
  ['a field that is not known', 'pool: []', 'c.yaml:1: pool: is not a field of a cluster; those are levels, nodes, pools'],
  ['failures', 'pools: [{count: 1, gpus: 8}]\nfailures: {}', 'c.yaml:2: failures: a replay plays no failures; leave it out'],
  ['a node that is kept back', 'nodes:\n- {gpus: 8, spare: true}', 'c.yaml:2: nodes[0].spare: a replay keeps no node back; leave it out'],
  ['a list', '- 1', 'c.yaml:1: the file: must be a mapping'],
  ['text that is not YAML', 'nodes: [', 'c.yaml:1: '],
])('%s is refused by line and field', (_, text, message) => {
  expect(() => parseCluster(text, 'c.yaml')).toThrow(message);
});
