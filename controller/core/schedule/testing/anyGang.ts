import fc from 'fast-check';
import { wholeGpus } from '../capacity/shape.ts';
import type { GangRequest, WorkerGroup } from '../gang/gangRequest.ts';
import { model, nodeDepth, rackDepth, zoneDepth } from './smallCluster.ts';

/** Depths and sizes of segments, outermost first: each size divides the one before, the first divides the workers. */
const anySegments: fc.Arbitrary<{ readonly workers: number; readonly segments: WorkerGroup['segments'] }> = fc.oneof(
  fc.record({ workers: fc.integer({ min: 1, max: 6 }), segments: fc.constant([]) }),
  fc
    .record({
      size: fc.integer({ min: 1, max: 3 }),
      times: fc.integer({ min: 1, max: 3 }),
      depth: fc.integer({ min: zoneDepth, max: nodeDepth }),
    })
    .map(({ size, times, depth }) => ({ workers: size * Math.min(times, Math.floor(6 / size)), segments: [{ depth, workers: size }] })),
  fc
    .record({
      inner: fc.integer({ min: 1, max: 2 }),
      times: fc.integer({ min: 2, max: 3 }),
      more: fc.integer({ min: 1, max: 3 }),
      depths: fc.constantFrom<readonly [number, number]>([zoneDepth, rackDepth], [zoneDepth, nodeDepth], [rackDepth, nodeDepth]),
    })
    .map(({ inner, times, more, depths: [outside, inside] }) => {
      const outer = inner * times;
      const segments = [
        { depth: outside, workers: outer },
        { depth: inside, workers: inner },
      ];
      return { workers: outer * Math.min(more, Math.floor(6 / outer)), segments };
    }),
);

export const anyGroup: fc.Arbitrary<WorkerGroup> = fc
  .record({ gang: anySegments, gpus: fc.integer({ min: 1, max: 3 }) })
  .map(({ gang, gpus }) => ({ ...gang, shape: wholeGpus(model, gpus) }));

export const anySpread: fc.Arbitrary<GangRequest['spread']> = fc.option(
  fc.record({ depth: fc.integer({ min: zoneDepth, max: nodeDepth }), max: fc.integer({ min: 1, max: 4 }) }),
  { freq: 2 },
);

/** A gang of one group with every wish there is; the mask is for up to six nodes. */
export const anyRequest: fc.Arbitrary<GangRequest> = fc
  .record({
    group: anyGroup,
    requiredDepth: fc.constantFrom(0, 0, 0, zoneDepth, rackDepth, nodeDepth),
    spread: fc.option(fc.record({ depth: fc.integer({ min: zoneDepth, max: nodeDepth }), max: fc.integer({ min: 1, max: 4 }) }), {
      freq: 2,
    }),
    exclusiveDepth: fc.option(fc.integer({ min: zoneDepth, max: nodeDepth }), { freq: 2 }),
    packing: fc.constantFrom('tight' as const, 'even' as const),
    mask: fc.option(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 6, maxLength: 6 }), { freq: 2 }),
  })
  .map(({ group, mask, ...wishes }) => ({
    groups: [group],
    ...wishes,
    allowed: mask === null ? null : { key: mask.map((n) => (n > 0 ? 1 : 0)).join(''), mask: Uint8Array.from(mask, (n) => (n > 0 ? 1 : 0)) },
  }));

/** Gangs of whole segments, of one level or of two that nest, so that a fault may break one or both. */
export const anySegmentedRequest = (levels: 1 | 2): fc.Arbitrary<GangRequest> =>
  fc
    .record({
      gpus: fc.constantFrom(1, 1, 2),
      inner: fc.integer({ min: 1, max: 3 }),
      outer: fc.integer({ min: 1, max: 3 }),
      depths: fc.constantFrom<readonly [number, number]>([zoneDepth, rackDepth], [zoneDepth, nodeDepth], [rackDepth, nodeDepth]),
      spread: fc.option(fc.record({ depth: fc.integer({ min: zoneDepth, max: nodeDepth }), max: fc.integer({ min: 2, max: 4 }) }), {
        freq: 1,
      }),
      requiredDepth: fc.constantFrom(0, 0, zoneDepth),
    })
    .map(({ gpus, inner, outer, depths: [outside, inside], spread, requiredDepth }) => {
      const [innerWorkers, outerWorkers] = levels === 1 ? [inner, inner] : [Math.min(inner, 2), Math.min(inner, 2) * outer];
      const nested = [
        { depth: outside, workers: outerWorkers },
        { depth: inside, workers: innerWorkers },
      ];
      const group = { workers: outerWorkers * Math.floor(6 / outerWorkers), shape: wholeGpus(model, gpus) };
      const groups = [{ ...group, segments: levels === 1 ? nested.slice(1) : nested }];
      return { groups, requiredDepth, spread, exclusiveDepth: null, packing: 'tight', allowed: null };
    });
