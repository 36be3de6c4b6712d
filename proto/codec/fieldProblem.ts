import { itemPath, memberPath } from './fieldPath.ts';

/** What is wrong with one field of a manifest. */
export interface FieldProblem {
  /** Path as in the manifest: `spec.mesh.tensor`, `spec.template.command[0]`. Empty: the object as a whole. */
  readonly field: string;
  /** The value, in the problem and what is allowed. */
  readonly message: string;
}

/** Most problems told of one manifest. */
const problemsMax = 50;
/** Longest excerpt of a value inside a message, in characters. */
const excerptCharsMax = 60;

/** A problem as one line for people. */
export function describeProblem({ field, message }: FieldProblem): string {
  return field === '' ? message : `${field}: ${message}`;
}

/** Collects problems up to the limit; what comes after is not told. */
export class Problems {
  readonly found: FieldProblem[] = [];

  add(field: string, message: string): void {
    if (!this.full) this.found.push({ field, message });
  }

  /** Nothing more will be told: looking on is of no use. */
  get full(): boolean {
    return this.found.length >= problemsMax;
  }
}

/** A value as JSON, cut to 60 characters; a huge value costs no more than a small one. */
export function excerpt(value: unknown): string {
  const text = sketch(value, excerptCharsMax + 1);
  return text.length <= excerptCharsMax ? text : `${text.slice(0, excerptCharsMax - 1)}…`;
}

/** What kind of value was given, in a manifest's words. */
export function kindOfValue(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  switch (typeof value) {
    case 'string':
      return 'text';
    case 'number':
      return 'a number';
    case 'boolean':
      return 'true or false';
    default:
      return 'a mapping';
  }
}

/** JSON of at least `chars` characters, or of the whole value when that is shorter. Stops looking as soon as it has enough. */
function sketch(value: unknown, chars: number): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, chars));
  if (typeof value !== 'object' || value === null) return String(value);
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  let text = open;
  for (const key in value) {
    if (text.length > chars) return text;
    const name = Array.isArray(value) ? '' : `${JSON.stringify(key.slice(0, chars))}:`;
    text += `${text === open ? '' : ','}${name}${sketch((value as Record<string, unknown>)[key], chars - text.length)}`;
  }
  return text + close;
}

/** The first place that is nested deeper than `depth` levels of lists and mappings; never recurses further than that. */
export function pathDeeperThan(value: unknown, depth: number): string | null {
  const keys = keysDeeperThan(value, depth);
  if (keys === null) return null;
  return keys.reduceRight<string>((path, key) => (typeof key === 'number' ? itemPath(path, key) : memberPath(path, key)), '');
}

/** From the inside out. */
function keysDeeperThan(value: unknown, depth: number): (string | number)[] | null {
  if (typeof value !== 'object' || value === null) return null;
  if (depth === 0) return [];
  const isList = Array.isArray(value);
  const entries = value as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(entries)) {
    const inner = entries[key];
    // Most values are leaves: not even a call for those.
    const found = typeof inner === 'object' ? keysDeeperThan(inner, depth - 1) : null;
    if (found === null) continue;
    found.push(isList ? Number(key) : key);
    return found;
  }
  return null;
}
