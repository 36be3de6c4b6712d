/** What the ranks of fixtures/trainer.mjs themselves say that they did. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '#vocabulary/assert.ts';

export interface HistoryEntry {
  readonly job: string;
  readonly attempt: number;
  readonly rank: number;
  readonly pid: number;
  readonly atMs: number;
  readonly what: 'start' | 'second-start' | 'step' | 'checkpoint' | 'stop' | 'done';
  readonly step: number;
  readonly sum: number | null;
}

/** In the order in which it was written; of one job. */
export async function readHistory(folder: string, job: string): Promise<readonly HistoryEntry[]> {
  const text = await readFile(join(folder, 'history.jsonl'), 'utf8').catch(() => '');
  const lines = text.split('\n').slice(0, -1);
  return lines.map(parseEntry).filter((entry) => entry.job === job);
}

function parseEntry(line: string): HistoryEntry {
  const value: unknown = JSON.parse(line);
  assert(typeof value === 'object' && value !== null, `a line of the history is no object: ${line}`);
  const fields = new Map<string, unknown>(Object.entries(value));
  const number = (name: string): number => {
    const field = fields.get(name);
    return typeof field === 'number' ? field : 0;
  };
  const what = (['start', 'second-start', 'step', 'checkpoint', 'stop', 'done'] as const).find((each) => each === fields.get('what'));
  assert(what !== undefined, `a line of the history says nothing: ${line}`);
  return {
    job: String(fields.get('job')),
    attempt: number('attempt'),
    rank: number('rank'),
    pid: number('pid'),
    atMs: number('atMs'),
    what,
    step: number('step'),
    sum: fields.has('sum') ? number('sum') : null,
  };
}

/** The sum of 1 to `steps`: what a rank ends with that lost no step and did none twice. */
export const sumOfSteps = (steps: number): number => (steps * (steps + 1)) / 2;
