import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import type { JobSpec, Mesh, MeshAxis } from './job.ts';
import { meshAxes, unaskedSpec } from './job.ts';
import { queueName } from './ids.ts';
import { describeSizes, isAllowedSize, sizeRange, sizeStep, specOfSize } from './elastic.ts';

const plain: JobSpec = {
  ...unaskedSpec,
  queue: queueName('default'),
  priority: 20,
  preemptible: true,
  gpuModels: [],
  workers: 4,
  gpusPerWorker: 1,
  processesPerWorker: 'worker',
  mesh: [],
  constraints: [],
  checkpoint: null,
  restarts: { max: 0, withinMs: null },
  maxRuntimeMs: null,
  template: { command: ['train'], env: {}, workingDirectory: '', cpuMilli: null, memoryBytes: null },
  unserved: {},
};

function sizesOf(changes: Partial<JobSpec>): readonly number[] {
  const spec = { ...plain, ...changes };
  return Array.from({ length: 64 }, (_, workers) => workers).filter((workers) => isAllowedSize(spec, workers));
}

describe('the sizes of a job', () => {
  test('are one, as long as nobody says otherwise', () => {
    expect(sizesOf({})).toEqual([4]);
    expect(describeSizes(plain)).toBe('4');
  });

  test('are all numbers of workers in the range', () => {
    expect(sizesOf({ elastic: { minWorkers: 2, maxWorkers: 6 } })).toEqual([2, 3, 4, 5, 6]);
    expect(describeSizes({ ...plain, elastic: { minWorkers: 2, maxWorkers: 6 } })).toBe('2, 3, … 6');
  });

  test('are those with whole data replicas: pipeline 2 x tensor 3 on workers of 4 GPUs are 3 workers for two of them', () => {
    const mesh = [
      { axis: 'pipeline', size: 2 },
      { axis: 'data', size: 4 },
      { axis: 'tensor', size: 3 },
    ] as const;
    const spec = { mesh, workers: 6, gpusPerWorker: 4, elastic: { minWorkers: 1, maxWorkers: 13 } };
    expect(sizeStep({ ...plain, ...spec })).toBe(3);
    expect(sizesOf(spec)).toEqual([3, 6, 9, 12]);
    expect(specOfSize({ ...plain, ...spec }, 9).mesh).toEqual([
      { axis: 'pipeline', size: 2 },
      { axis: 'data', size: 6 },
      { axis: 'tensor', size: 3 },
    ]);
  });

  test('are those with whole segments, of the outermost level', () => {
    const segments = [
      { level: 'rack', workers: 4 },
      { level: 'node', workers: 2 },
    ];
    expect(sizesOf({ segments, workers: 8, elastic: { minWorkers: 3, maxWorkers: 13 } })).toEqual([4, 8, 12]);
  });

  test('a mesh without a data axis is one replica, and gets the axis when there are more', () => {
    const spec = { ...plain, mesh: [{ axis: 'tensor', size: 4 }] as const, elastic: { minWorkers: 4, maxWorkers: 8 } };
    expect(sizesOf(spec)).toEqual([4, 8]);
    expect(specOfSize(spec, 8).mesh).toEqual([
      { axis: 'data', size: 2 },
      { axis: 'tensor', size: 4 },
    ]);
    expect(specOfSize(spec, 4)).toBe(spec);
  });

  test('the spec of a size is the same object each time, so that what is remembered of it is found again', () => {
    const spec = { ...plain, elastic: { minWorkers: 1, maxWorkers: 8 } };
    expect(specOfSize(spec, 2)).toBe(specOfSize(spec, 2));
    expect(specOfSize(spec, 2)).not.toBe(specOfSize({ ...spec }, 2));
  });
});

test('of any mesh, every size has a mesh whose product is its GPUs, and whole segments', () => {
  const axes = fc.uniqueArray(fc.record({ axis: fc.constantFrom(...meshAxes), size: fc.integer({ min: 1, max: 4 }) }), {
    selector: ({ axis }) => axis,
  });
  fc.assert(
    fc.property(axes, fc.constantFrom(1, 2, 4, 8), fc.constantFrom(1, 2, 4), fc.nat(40), (mesh, gpusPerWorker, segment, range) => {
      const product = mesh.reduce((gpus, { size }) => gpus * size, 1);
      const workers = (product / gpusPerWorker) * (mesh.length === 0 ? gpusPerWorker * segment : 1);
      fc.pre(Number.isInteger(workers) && workers % segment === 0);
      const elastic = { minWorkers: Math.max(1, workers - range), maxWorkers: workers + range };
      const spec = { ...plain, workers, gpusPerWorker, mesh, segments: [{ level: 'rack', workers: segment }], elastic };
      const { min, max, step } = sizeRange(spec);
      expect(isAllowedSize(spec, workers)).toBe(true);
      for (let size = min; size <= max; size += step) {
        const sized = specOfSize(spec, size);
        expect(sized.workers % segment).toBe(0);
        // The axes stay in the order that the user gave them: ranks are found by it.
        const axes = (all: Mesh): readonly MeshAxis[] =>
          all.map(({ axis }) => axis).filter((axis) => axis !== 'data' || mesh.some((each) => each.axis === 'data'));
        expect(axes(sized.mesh)).toEqual(axes(mesh));
        if (mesh.length > 0) expect(sized.mesh.reduce((gpus, each) => gpus * each.size, 1)).toBe(size * gpusPerWorker);
      }
      // No step is larger than it has to be: a size between would tear something.
      for (let size = min + 1; size < Math.min(min + step, max); size += 1) {
        const gpus = size * gpusPerWorker;
        const replica = mesh.reduce((gpusOf, { axis, size: of }) => (axis === 'data' ? gpusOf : gpusOf * of), 1);
        expect(size % segment !== 0 || (mesh.length > 0 && gpus % replica !== 0)).toBe(true);
      }
    }),
    { numRuns: cases(300) },
  );
});
