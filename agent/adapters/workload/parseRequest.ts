/** What programs send, checked: each problem names the field and the value. */
import type { ObservedCheckpoint, ObservedProgress } from '#vocabulary/observed.ts';

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly field: string; readonly message: string };

type Fields = Readonly<Record<string, unknown>>;

export function parseBody(text: string): Parsed<Fields> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return problem('', `the body is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  return isFields(value) ? { ok: true, value } : problem('', `the body is ${nameOf(value)}; wanted is an object`);
}

export function parseProgress(fields: Fields): Parsed<ObservedProgress> {
  const unknown = unknownField(fields, ['step', 'loss', 'tokens', 'step_seconds']);
  if (unknown !== null) return unknown;
  const step = parseStep(fields['step']);
  if (!step.ok) return step;
  const loss = parseNumber('loss', fields['loss'], null);
  if (!loss.ok) return loss;
  const tokens = parseNumber('tokens', fields['tokens'], 0);
  if (!tokens.ok) return tokens;
  const stepSeconds = parseNumber('step_seconds', fields['step_seconds'], 0);
  if (!stepSeconds.ok) return stepSeconds;
  return { ok: true, value: { step: step.value, loss: loss.value, tokens: tokens.value, stepSeconds: stepSeconds.value } };
}

export function parseCheckpoint(fields: Fields): Parsed<ObservedCheckpoint> {
  const unknown = unknownField(fields, ['step', 'path', 'scope', 'seconds']);
  if (unknown !== null) return unknown;
  const step = parseStep(fields['step']);
  if (!step.ok) return step;
  const { path, scope = 'rank' } = fields;
  if (typeof path !== 'string' || path === '' || path.length > 4096 || path.includes('\0')) {
    return problem('path', `${show(path)} is no path; wanted is a string of 1 to 4096 characters`);
  }
  if (scope !== 'rank' && scope !== 'job') return problem('scope', `${show(scope)} is neither "rank" nor "job"`);
  const seconds = parseNumber('seconds', fields['seconds'], 0);
  if (!seconds.ok) return seconds;
  return { ok: true, value: { step: step.value, path, scope, tookMs: seconds.value === null ? null : toMs(seconds.value) } };
}

/** Seconds of a long poll; absent: 0. */
export function parseWaitMs(text: string | null): Parsed<number> {
  const seconds = text === null ? 0 : Number(text);
  if (text === '' || !Number.isFinite(seconds) || seconds < 0) return problem('wait_s', `${show(text)} is no number of seconds ≥ 0`);
  return { ok: true, value: toMs(Math.min(seconds, 1e6)) };
}

/** At most 30 years, so that it stays a whole number. */
const toMs = (seconds: number): number => Math.round(Math.min(seconds, 1e9) * 1000);

export function parseRound(text: string | null): Parsed<number> {
  const round = text === null ? 0 : Number(text);
  if (text === '' || !Number.isSafeInteger(round) || round < 0) return problem('round', `${show(text)} is no whole number ≥ 0`);
  return { ok: true, value: round };
}

/** Absent: the worker's only rank. */
export function parseRank(text: string | null, ranks: readonly number[]): Parsed<number> {
  const [only] = ranks;
  if (text === null) {
    if (ranks.length === 1 && only !== undefined) return { ok: true, value: only };
    return problem('X-Shoal-Rank', `missing; this worker has ranks ${ranks.join(', ')}`);
  }
  const rank = Number(text);
  if (text === '' || !ranks.includes(rank))
    return problem('X-Shoal-Rank', `${show(text)} is no rank of this worker; it has ${ranks.join(', ')}`);
  return { ok: true, value: rank };
}

function parseStep(value: unknown): Parsed<number> {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return { ok: true, value };
  return problem('step', `${show(value)} is no whole number from 0 to ${Number.MAX_SAFE_INTEGER}`);
}

function parseNumber(field: string, value: unknown, min: number | null): Parsed<number | null> {
  if (value === undefined || value === null) return { ok: true, value: null };
  if (typeof value !== 'number' || !Number.isFinite(value)) return problem(field, `${show(value)} is no finite number`);
  if (min !== null && value < min) return problem(field, `${value} is less than ${min}`);
  return { ok: true, value };
}

function unknownField(fields: Fields, known: readonly string[]): Extract<Parsed<never>, { ok: false }> | null {
  const unknown = Object.keys(fields).find((name) => !known.includes(name));
  return unknown === undefined ? null : problem(unknown, `unknown field; known are ${known.join(', ')}`);
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const problem = (field: string, message: string): { readonly ok: false; readonly field: string; readonly message: string } => ({
  ok: false,
  field,
  message,
});

const nameOf = (value: unknown): string => (value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`);

/** The value as it came, short enough for a message. */
function show(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 100);
}
