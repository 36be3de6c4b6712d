/** Reads a parsed YAML value strictly: what is unknown, missing or of another kind is a problem with its path, its value and what is allowed. */
import { itemPath, memberPath } from './fieldPath.ts';
import { excerpt, kindOfValue, type Problems } from './fieldProblem.ts';
import { didYouMean } from '#vocabulary/didYouMean.ts';
import { namePattern } from '#vocabulary/ids.ts';
import { parseDurationMs } from '#vocabulary/units.ts';

/** One mapping whose keys are known. Readers answer null for what is absent, and for what is wrong after telling so. */
export class Fields {
  readonly path: string;
  readonly problems: Problems;
  readonly #values: ReadonlyMap<string, unknown>;

  constructor(values: ReadonlyMap<string, unknown>, path: string, problems: Problems) {
    this.#values = values;
    this.path = path;
    this.problems = problems;
  }

  at(name: string): string {
    return memberPath(this.path, name);
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  raw(name: string): unknown {
    return this.#values.get(name);
  }

  names(): readonly string[] {
    return [...this.#values.keys()];
  }

  require(...names: readonly string[]): boolean {
    const missing = names.filter((name) => !this.has(name));
    for (const name of missing) this.problems.add(this.at(name), 'is missing');
    return missing.length === 0;
  }

  text(name: string): string | null {
    const value = this.raw(name);
    if (value === undefined) return null;
    // An unquoted 64 is a number to YAML and a quantity to people.
    if (typeof value === 'number') return String(value);
    return typeof value === 'string' && value !== '' ? value : this.refuse(name, 'text');
  }

  name(name: string): string | null {
    const value = this.text(name);
    return value === null || namePattern.test(value) ? value : this.refuse(name, 'a name of a-z, 0-9, "-" and ".", 1 to 63 characters');
  }

  choice<T extends string>(name: string, allowed: readonly T[]): T | null {
    const value = this.raw(name);
    if (value === undefined) return null;
    const found = allowed.find((each) => each === value);
    if (found !== undefined) return found;
    this.problems.add(this.at(name), describeUnknown(value, allowed));
    return null;
  }

  flag(name: string): boolean | null {
    const value = this.raw(name);
    if (value === undefined) return null;
    return typeof value === 'boolean' ? value : this.refuse(name, 'true or false');
  }

  number(name: string, { min, max = Number.MAX_SAFE_INTEGER }: { readonly min: number; readonly max?: number }): number | null {
    const value = this.raw(name);
    if (value === undefined) return null;
    const upTo = max === Number.MAX_SAFE_INTEGER ? '' : ` to ${max}`;
    if (typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max) return value;
    return this.refuse(name, `a number from ${min}${upTo}`);
  }

  wholeNumber(name: string, range: { readonly min: number; readonly max?: number }): number | null {
    const value = this.number(name, range);
    return value === null || Number.isSafeInteger(value) ? value : this.refuse(name, 'a whole number');
  }

  durationMs(name: string, minMs = 0): number | null {
    const value = this.raw(name);
    if (value === undefined) return null;
    const ms = value === 0 ? 0 : typeof value === 'string' ? parseDurationMs(value) : undefined;
    if (ms !== undefined && ms >= minMs) return ms;
    return this.refuse(name, `a duration such as 30s, 5m, 1h30m or 7d${minMs > 0 ? ', more than 0s' : ''}`);
  }

  list(name: string): readonly unknown[] {
    const value = this.raw(name);
    if (value === undefined) return [];
    if (Array.isArray(value)) return value;
    this.refuse(name, 'a list');
    return [];
  }

  texts(name: string): readonly string[] {
    return this.list(name).flatMap((value, index) => {
      if (typeof value === 'string' && value !== '') return [value];
      this.problems.add(itemPath(this.at(name), index), `${excerpt(value)} is ${kindOfValue(value)}; allowed: text`);
      return [];
    });
  }

  /** null when it is absent or no mapping. */
  fields(name: string, known: readonly string[]): Fields | null {
    return this.has(name) ? readFields(this.raw(name), this.at(name), known, this.problems) : null;
  }

  refuse(name: string, allowed: string): null {
    const value = this.raw(name);
    this.problems.add(this.at(name), `${excerpt(value)} is not allowed; allowed: ${allowed}`);
    return null;
  }
}

/** null (told): no mapping. Keys that are not known are told and left out; `known` null: any key. */
export function readFields(value: unknown, path: string, known: readonly string[] | null, problems: Problems): Fields | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    problems.add(path, `${excerpt(value)} is ${kindOfValue(value)}; allowed: a mapping${known === null ? '' : ` of ${known.join(', ')}`}`);
    return null;
  }
  const values = new Map<string, unknown>();
  for (const [key, inner] of Object.entries(value)) {
    // An empty value is one that was left out.
    if (inner === null && (known === null || known.includes(key))) continue;
    if (known === null || known.includes(key)) values.set(key, inner);
    else problems.add(memberPath(path, key), describeUnknown(key, known, 'field'));
  }
  return new Fields(values, path, problems);
}

/** `field "seeed" is not known; did you mean "seed"? Known: …` */
export function describeUnknown(value: unknown, known: readonly string[], what = ''): string {
  const near = typeof value === 'string' ? didYouMean(value, known) : undefined;
  const guess = near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`;
  const shown = known.length > 20 ? `${known.slice(0, 20).join(', ')} and ${known.length - 20} more` : known.join(', ');
  return `${what === '' ? '' : `${what} `}${excerpt(value)} is not known${guess}${guess === '' ? ';' : ''} allowed: ${shown}`;
}
