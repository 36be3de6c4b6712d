import type { FoundRank } from '#agent/ports/runtime.ts';
import { isRunning, type ProcessTable } from './processTable.ts';
import { readClaim, readExit, type WorkerFiles } from './workerFiles.ts';
import { wasKilled } from './workerProcesses.ts';

/** What the control folder and the process table say of one rank, whoever started it. */
export async function lookForRank(table: ProcessTable, files: WorkerFiles, rank: number): Promise<FoundRank> {
  const claim = await readClaim(files, rank);
  if (claim.kind === 'none') return { kind: 'never-started' };
  const status = await readExit(files, rank);
  if (status !== null) return { kind: 'ended', ...status };
  if (claim.kind === 'whole' && (await isRunning(table, claim.process))) return { kind: 'alive', process: claim.process };
  // It may have written its status and ended between the two looks.
  const late = await readExit(files, rank);
  if (late !== null) return { kind: 'ended', ...late };
  return { kind: 'ended', exitCode: null, signal: (await wasKilled(files)) ? 'SIGKILL' : null };
}
