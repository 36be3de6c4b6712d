import { expect, test } from 'vitest';
import { parseFailures } from './parseFailures.ts';

test('rows become failures', () => {
  expect(parseFailures('t_s,node,kind,repair_s\n22,1,service,900\n', { file: 'f.csv', nodes: 2 })).toEqual([
    { atS: 22, node: 1, repairS: 900 },
  ]);
});

test.each([
  ['a node that is not there', 't_s,node,repair_s\n1,2,3', 'f.csv:2: node "2": the cluster has 2 nodes, from 0'],
  ['a time that is none', 't_s,node,repair_s\nnow,1,3', 'f.csv:2: t_s "now"'],
  ['a column that is missing', 't_s,node\n1,1', 'f.csv:1: no column "repair_s"'],
])('%s is refused by line and column', (_, text, message) => {
  expect(() => parseFailures(text, { file: 'f.csv', nodes: 2 })).toThrow(message);
});
