import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { MeshPlanSchema } from '#gen/shoal/v1/training_job_pb.js';
import { meshSections } from './mesh.ts';
import { formatSections } from './sections.ts';

const groups = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ workers: [2 * at, 2 * at + 1], domains: [{ name: `z1/b1/r${at}`, workers: 2 }] }));

test('a mesh is printed axis by axis and group by group', () => {
  const mesh = create(MeshPlanSchema, {
    order: ['pipeline', 'expert'],
    seconds: 1.2345,
    randomSeconds: 123.4,
    packedSeconds: 1.5,
    axes: [
      { axis: 'pipeline', size: 2, collective: 'point-to-point', bytes: 2n ** 30n, seconds: 0.0859, boundBy: 'cluster', outerCrossings: 1 },
      { axis: 'expert', size: 8, collective: 'all-to-all', bytes: 1000n, seconds: 0.000012, boundBy: 'rail' },
    ],
    stages: groups(2),
    expertGroups: [
      {
        workers: [0, 1, 2, 5],
        domains: [
          { name: 'r1', workers: 3 },
          { name: 'r2', workers: 1 },
        ],
      },
    ],
  });
  expect(formatSections(meshSections(mesh))).toBe(`Mesh order:                pipeline, expert (the last varies fastest)
Predicted communication:   1.23 s a step (packed without the mesh 1.50 s, random order 123 s)
Axes:
  Axis       Size   Traffic          Bytes   Seconds   Bound by   Crossings
  pipeline   2      point-to-point   1Gi     85.9 ms   cluster    1
  expert     8      all-to-all       1000    12.0 us   rail       0
Stages:
  Stage   Workers   Where
  0       0-1       z1/b1/r0
  1       2-3       z1/b1/r1
Expert groups:
  Group   Workers   Where
  0       0-2,5     r1 (3), r2 (1)
`);
});

test('of very many groups the first are printed, and how many more there are', () => {
  const text = formatSections(meshSections(create(MeshPlanSchema, { order: ['expert'], expertGroups: groups(70) })));
  expect(text.split('\n').length).toBeLessThan(75);
  expect(text).toContain('  ...               6 more; -o json has all\n');
});

test('a job without a mesh has no such sections', () => {
  expect(meshSections(undefined)).toEqual([]);
});
