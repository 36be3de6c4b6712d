import { gpuMilliPerGpu } from './units.ts';

/**
 * A MIG profile names a fixed slot of a GPU by its compute slices and its memory: `1g.10gb` is one slice with 10 GB, and
 * `+me` and the like say which other engines come with it. A GPU has seven compute slices and eight of memory (NVIDIA MIG User Guide, "GPU
 * Instance Profiles" of A100, H100, H200 and B200; A30 has four of each).
 *
 * What a slot is worth in the ledger and under a quota is its part of the seven, rounded down: 142 thousandths for 1g,
 * 285, 428, 571 and, for 7g, the whole. Slots of one GPU never come to more than the GPU; what is missing to 1000 is idle
 * and given to nobody. On a GPU of four slices a slot counts for less than it is.
 */
export type GpuProfile = string;

const pattern = /^([1-7])g\.([1-9]\d{0,3})gb([+-][a-z][a-z.]{0,15})?$/;

/** Compute slices of a GPU. */
const slicesPerGpu = 7;

export const isGpuProfile = (text: string): boolean => pattern.test(text);

/** 1..7; 0: no such profile. */
const slicesOf = (profile: GpuProfile): number => Number(pattern.exec(profile)?.[1] ?? 0);

/** Thousandths of a GPU, 1..1000. */
export const profileMilli = (profile: GpuProfile): number => Math.max(1, Math.floor((slicesOf(profile) * gpuMilliPerGpu) / slicesPerGpu));

/** A slot is a device of a model of its own, named as NVML names it (`NVIDIA H100 MIG 1g.10gb`). No GPU's own model has a space in it. */
export const deviceModel = (model: string, profile: GpuProfile | null): string =>
  profile === null ? model : `${model}${between}${profile}`;

const between = ' MIG ';

export const isSlotModel = (device: string): boolean => device.includes(between);

/** The GPU's model of a device that is a slot of the profile; null: it is none. */
export const gpuOfSlot = (device: string, profile: GpuProfile): string | null =>
  device.endsWith(`${between}${profile}`) ? device.slice(0, -between.length - profile.length) : null;

/** Why a GPU cannot be divided so; null: it can, as far as compute slices go. */
export function findDivisionProblem(profiles: readonly string[]): string | null {
  const unknown = profiles.find((profile) => !isGpuProfile(profile));
  if (unknown !== undefined) return `${JSON.stringify(unknown)} is no MIG profile; allowed: such as 1g.10gb`;
  const slices = profiles.reduce((sum, profile) => sum + slicesOf(profile), 0);
  return slices > slicesPerGpu ? `${slices} compute slices; allowed: at most ${slicesPerGpu} a GPU` : null;
}
