/**
 * What simulated devices are. Memory as the driver reports it (nvidia-smi, MiB), NVLink as the sum of both directions,
 * power limit of the SXM board. Sources: NVIDIA data sheets of A100 (2020), H100 (2022), H200 (2023); H800 is an H100
 * with 400 GB/s of NVLink (DeepSeek-V3 technical report, 2024). Idle power is what such boards draw in practice.
 */
export interface GpuModel {
  readonly name: string;
  readonly memoryBytes: number;
  readonly nvlinkGigabytesPerSecond: number;
  readonly powerLimitMilliwatts: number;
  readonly idleMilliwatts: number;
}

const mebibyte = 2 ** 20;

const gpuModels: readonly GpuModel[] = [
  { name: 'A100', memoryBytes: 81_920 * mebibyte, nvlinkGigabytesPerSecond: 600, powerLimitMilliwatts: 400_000, idleMilliwatts: 56_000 },
  { name: 'H100', memoryBytes: 81_559 * mebibyte, nvlinkGigabytesPerSecond: 900, powerLimitMilliwatts: 700_000, idleMilliwatts: 71_000 },
  { name: 'H200', memoryBytes: 143_771 * mebibyte, nvlinkGigabytesPerSecond: 900, powerLimitMilliwatts: 700_000, idleMilliwatts: 76_000 },
  { name: 'H800', memoryBytes: 81_559 * mebibyte, nvlinkGigabytesPerSecond: 400, powerLimitMilliwatts: 700_000, idleMilliwatts: 71_000 },
];

/** Throws for a model that the table does not have; the message lists those that it has. */
export function findGpuModel(name: string): GpuModel {
  const model = gpuModels.find((entry) => entry.name === name);
  if (model === undefined)
    throw new Error(`GPU model ${JSON.stringify(name)} cannot be simulated; known are ${gpuModels.map((entry) => entry.name).join(', ')}`);
  return model;
}
