/**
 * The jobs of a trace from CSV with a header row. Columns that count: submit_s, duration_s and gpus, which every row has;
 * id, which is the number of the line where there is none; priority, which is 0 where there is none; est_s, where estimates
 * come from the file. Others are passed over. Fields are not quoted.
 */
import { InputError } from '../../inputError.ts';
import type { TraceJob } from '../replayJob.ts';
import { rowsMax } from '../timeHeap.ts';
import { readRows, type Row } from './csvRows.ts';

export const estimateSources = ['exact', 'csv'] as const;
/** Where the run time that the scheduler is told comes from: the true one, or the column est_s. */
export type EstimateSource = (typeof estimateSources)[number];

export interface JobsWanted {
  /** Named in errors. */
  readonly file: string;
  readonly estimates: EstimateSource;
  /** GPUs of the cluster: the largest job that can ever run. */
  readonly totalGpus: number;
}

/** Rows without GPUs are left out; a duration of 0 counts as 1 s. Throws InputError at the first row that cannot be read. */
export function parseJobs(text: string, wanted: JobsWanted): readonly TraceJob[] {
  const needed = ['submit_s', 'duration_s', 'gpus', ...(wanted.estimates === 'csv' ? ['est_s'] : [])];
  const jobs = readRows(text, wanted.file, needed).flatMap((row) => parseRow(row, wanted) ?? []);
  if (jobs.length === 0) throw new InputError(`${wanted.file}: no row with GPUs; a replay needs at least one job`);
  if (jobs.length > rowsMax) throw new InputError(`${wanted.file}: ${jobs.length} jobs; a replay takes at most ${rowsMax}`);
  return jobs;
}

function parseRow(row: Row, { estimates, totalGpus }: JobsWanted): TraceJob | undefined {
  const gpus = row.whole('gpus');
  if (gpus === 0) return undefined;
  if (gpus > totalGpus) throw row.wrong('gpus', `the cluster has ${totalGpus}, so that the job could never start`);
  const durationS = Math.max(1, row.whole('duration_s'));
  const estimateS = estimates === 'csv' ? Math.max(1, row.whole('est_s')) : durationS;
  return {
    id: row.text('id') || String(row.line),
    submitS: row.whole('submit_s'),
    durationS,
    gpus,
    estimateS,
    priority: row.wholeOr('priority', 0),
  };
}
