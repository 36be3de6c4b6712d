import type { SQLOutputValue } from 'node:sqlite';

/** A row as `node:sqlite` gives it: its columns are checked one by one, because the file may say anything. */
export type Row = Record<string, SQLOutputValue>;

/** Null when the column is no integer that a JavaScript number holds exactly. */
export function integerIn(row: Row | undefined, column: string): number | null {
  const value = row?.[column];
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : null;
}

export function textIn(row: Row | undefined, column: string): string | null {
  const value = row?.[column];
  return typeof value === 'string' ? value : null;
}
