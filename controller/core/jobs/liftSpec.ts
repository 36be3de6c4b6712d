import type { JobSpec } from '#vocabulary/job.ts';
import { unaskedSpec } from '#vocabulary/job.ts';

const laterFields = Object.keys(unaskedSpec);

/** A spec as a log or snapshot of any version has it, with what came since as nobody asked for it. */
export function liftSpec(stored: JobSpec): JobSpec {
  if (laterFields.every((field) => Object.hasOwn(stored, field))) return stored;
  const constraints = stored.constraints.map(({ level, mode, waitMs }) => ({ level, mode, waitMs: waitMs ?? null }));
  return { ...unaskedSpec, ...stored, constraints };
}
