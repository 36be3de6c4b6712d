import type { JobSpec } from '#vocabulary/job.ts';
import { unaskedSpec } from '#vocabulary/job.ts';

/** A spec as a log or snapshot of any version has it, with what came since as nobody asked for it. */
export function liftSpec(stored: JobSpec): JobSpec {
  if (Object.hasOwn(stored, 'gpuProfile')) return stored;
  const constraints = stored.constraints.map(({ level, mode, waitMs }) => ({ level, mode, waitMs: waitMs ?? null }));
  return { ...unaskedSpec, ...stored, constraints };
}
