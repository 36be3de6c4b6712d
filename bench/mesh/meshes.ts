import type { MeshAxis } from '#vocabulary/job.ts';
import type { AxisTraffic } from '#core/schedule/mesh/traffic.ts';
import { trafficOf } from '#core/schedule/mesh/traffic.ts';

/** Sizes of axes, slowest first, with the bytes of their classes. */
const meshOf = (sizes: Readonly<Partial<Record<MeshAxis, number>>>): readonly AxisTraffic[] => {
  const axes = (['pipeline', 'data', 'context', 'expert', 'tensor'] as const).flatMap((axis) => {
    const size = sizes[axis];
    return size === undefined ? [] : [{ axis, size }];
  });
  return trafficOf(axes, {});
};

/** Of 2,048 GPUs. The first is that of DeepSeek-V3's training. */
export const meshes: Readonly<Record<string, readonly AxisTraffic[]>> = {
  'pipeline 16, data 2, expert 64': meshOf({ pipeline: 16, data: 2, expert: 64 }),
  'pipeline 8, data 8, expert 32': meshOf({ pipeline: 8, data: 8, expert: 32 }),
  'pipeline 8, data 16, tensor 16': meshOf({ pipeline: 8, data: 16, tensor: 16 }),
  'pipeline 4, data 8, context 8, tensor 8': meshOf({ pipeline: 4, data: 8, context: 8, tensor: 8 }),
  'pipeline 8, data 32, tensor 8': meshOf({ pipeline: 8, data: 32, tensor: 8 }),
};

/** Of 16,384 GPUs. */
export const largeMesh: readonly AxisTraffic[] = meshOf({ pipeline: 16, data: 16, expert: 64 });
