import type { ApplyResult } from '#gen/shoal/v1/control_pb.js';
import { exitCodes } from '../exitCodes.ts';
import type { Io } from '../io.ts';
import type { Manifest } from '../manifests/manifest.ts';
import { serverSaysByName } from '../server/failure.ts';

/** Each problem at its own line and column of the file. */
export function printRefusal(result: ApplyResult, manifest: Manifest, io: Io): number {
  for (const { field, message } of result.problems) {
    io.stderr.write(`Error: ${manifest.where(field)}: ${field === '' ? message : `${field}: ${message}`}\n`);
  }
  if (result.problems.length === 0) io.stderr.write(`Error: ${manifest.where('')}: ${serverSaysByName(result.code, 'refused')}\n`);
  return exitCodes.error;
}
