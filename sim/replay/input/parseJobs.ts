/**
 * The jobs of a trace from CSV with a header row. Columns that count: submit_s, duration_s and gpus, which every row has;
 * id, which is the number of the line where there is none; priority, which is 0 where there is none; est_s, where estimates
 * come from the file. Others are passed over. Fields are not quoted.
 */
import { InputError } from '../../inputError.ts';
import type { TraceJob } from '../replayJob.ts';
import { rowsMax } from '../timeHeap.ts';

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

/** About 34 years; no sum of such times leaves what the replay can count. */
const secondsMax = 2 ** 30;

/** Rows without GPUs are left out; a duration of 0 counts as 1 s. Throws InputError at the first row that cannot be read. */
export function parseJobs(text: string, wanted: JobsWanted): readonly TraceJob[] {
  const [header = '', ...lines] = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const columns = header.split(',').map((name) => name.trim());
  const needed = ['submit_s', 'duration_s', 'gpus', ...(wanted.estimates === 'csv' ? ['est_s'] : [])];
  for (const name of needed)
    if (!columns.includes(name))
      throw new InputError(`${wanted.file}:1: no column "${name}"; the columns are ${columns.join(', ')}; needed are ${needed.join(', ')}`);
  const jobs: TraceJob[] = [];
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    const job = parseRow(new Row(line, index + 2, columns, wanted.file), wanted);
    if (job !== undefined) jobs.push(job);
  }
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

class Row {
  readonly line: number;
  readonly #file: string;
  readonly #columns: readonly string[];
  readonly #fields: readonly string[];

  constructor(text: string, line: number, columns: readonly string[], file: string) {
    this.line = line;
    this.#file = file;
    this.#columns = columns;
    this.#fields = text.split(',');
    if (this.#fields.length === columns.length) return;
    throw new InputError(`${file}:${line}: ${this.#fields.length} fields where the header has ${columns.length}`);
  }

  text(column: string): string {
    return this.#fields[this.#columns.indexOf(column)]?.trim() ?? '';
  }

  whole(column: string): number {
    const text = this.text(column);
    const value = Number(text);
    if (/^\d+$/.test(text) && value <= secondsMax) return value;
    throw this.wrong(column, `must be a whole number from 0 to ${secondsMax}`);
  }

  wholeOr(column: string, absent: number): number {
    return this.text(column) === '' ? absent : this.whole(column);
  }

  wrong(column: string, why: string): InputError {
    return new InputError(`${this.#file}:${this.line}: ${column} "${this.text(column)}": ${why}`);
  }
}
