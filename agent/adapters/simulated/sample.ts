import type { GpuHealth, GpuSample } from '#vocabulary/observed.ts';
import { hasReadings } from './faults.ts';
import type { GpuModel } from './gpuModels.ts';

/** Steady readings of a device that is in use or is not; neighbours differ a little, as real ones do. */
export function makeSample(index: number, model: GpuModel, isBusy: boolean, health: GpuHealth): GpuSample {
  if (!hasReadings(health)) return { index, utilizationPercent: 0, memoryUsedBytes: 0, powerMilliwatts: 0, temperatureCelsius: 0 };
  const offset = (index * 7) % 5;
  if (!isBusy) {
    return {
      index,
      utilizationPercent: 0,
      memoryUsedBytes: 0,
      powerMilliwatts: model.idleMilliwatts + offset * 500,
      temperatureCelsius: 28 + offset,
    };
  }
  return {
    index,
    utilizationPercent: 95 + offset,
    memoryUsedBytes: Math.floor(model.memoryBytes * 0.78),
    // A training step with its pauses for communication stays below the limit of the board.
    powerMilliwatts: Math.round(model.powerLimitMilliwatts * 0.86) + offset * 4000,
    temperatureCelsius: 58 + offset * 2,
  };
}
