import { dirname } from 'node:path';
import { StoreError } from '../../ports/store.ts';

/** Primary result codes of https://sqlite.org/rescode.html; the low byte of an extended code. */
const sqliteBusy = 5;
const sqliteFull = 13;
/** Malformed page, no database; and for our fixed statements also: a table that is not there (1), a row that clashes (19) or has another type (20). */
const damageCodes: readonly number[] = [1, 11, 19, 20, 26];

/** The one place where errors of SQLite and of the file system become errors of the port. */
export function storeErrorFrom(error: unknown, file: string): StoreError {
  if (error instanceof StoreError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = sqliteCodeOf(error);
  if (code !== null && damageCodes.includes(code)) return corruptStore(file, text, error);
  if (code === sqliteFull || hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT')) {
    return new StoreError('full', `${file}: no room (${text}); nothing of this request was stored. Make room in ${dirname(file)}`, error);
  }
  if (code === sqliteBusy) return new StoreError('unavailable', `${file}: another program is writing to it (${text})`, error);
  return new StoreError('unavailable', `${file}: ${text}; nothing of this request was acknowledged`, error);
}

/** Another connection holds the lock. */
export function isBusy(error: unknown): boolean {
  return sqliteCodeOf(error) === sqliteBusy;
}

/** Says what is wrong, that nothing was touched, and the only way on. */
export function corruptStore(file: string, what: string, cause?: unknown): StoreError {
  const advice = `Nothing was changed. Stop the controller and restore a backup of the folder ${dirname(file)}`;
  return new StoreError('corrupt', `${file} is damaged: ${what}. ${advice}`, cause);
}

function sqliteCodeOf(error: unknown): number | null {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return null;
  return error.errcode & 0xff;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
