import { InvalidArgumentError } from 'commander';
import { parseDurationMs } from '#vocabulary/units.ts';
import { CliError } from './cliError.ts';
import { exitCodes } from './exitCodes.ts';

/** Commander gives flags as an untyped record: these readers narrow it once, before a command sees it. */
export type Flags = Readonly<Record<string, unknown>>;

export function textFlag(flags: Flags, name: string): string | null {
  const value = flags[name];
  return typeof value === 'string' ? value : null;
}

export function textsFlag(flags: Flags, name: string): readonly string[] {
  const value = flags[name];
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

export function numberFlag(flags: Flags, name: string): number | null {
  const value = flags[name];
  return typeof value === 'number' ? value : null;
}

export function isSet(flags: Flags, name: string): boolean {
  return flags[name] === true;
}

/** Collects a flag that may be given several times. */
export function collect(value: string, before: unknown): readonly string[] {
  return [...(Array.isArray(before) ? before.filter((each) => typeof each === 'string') : []), value];
}

/** A whole number from `min` on. */
export function wholeNumber(min: number, max = 1_000_000): (value: string) => number {
  return (value) => {
    const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= min && number <= max)) throw new InvalidArgumentError(`A whole number of ${min} to ${max} is wanted.`);
    return number;
  };
}

/** `90s`, `5m`, `0`: milliseconds. A negative duration is kept as its sign (`wait` gives it a meaning). */
export function durationMs(value: string): number {
  if (value === '0') return 0;
  const negative = value.startsWith('-');
  const ms = parseDurationMs(negative ? value.slice(1) : value);
  if (ms === undefined) throw new InvalidArgumentError('A duration such as 30s, 5m or 1h30m is wanted.');
  return negative ? -ms : ms;
}

/** `K=V`, several times; the first `=` divides. `what` names the flag in the error. */
export function parsePairs(pairs: readonly string[], what: string): Readonly<Record<string, string>> {
  const record: Record<string, string> = {};
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at <= 0) throw new CliError(exitCodes.usage, `error: ${what}: "${pair}" is not of the form KEY=VALUE`);
    record[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return record;
}

/** One of a few words, checked with what is allowed. */
export function compileChoice<T extends string>(flags: Flags, name: string, allowed: readonly T[]): T | null {
  const value = textFlag(flags, name);
  if (value === null) return null;
  const found = allowed.find((each) => each === value);
  if (found !== undefined) return found;
  throw new CliError(exitCodes.usage, `error: --${name} "${value}" is not known; allowed: ${allowed.join(', ')}`);
}

/** `key=value,key2=value2`; `==` is taken too. */
export function parseSelector(text: string | null): Readonly<Record<string, string>> {
  if (text === null || text.trim() === '') return {};
  return parsePairs(
    text.split(',').map((pair) => pair.trim().replace('==', '=')),
    '--selector',
  );
}
