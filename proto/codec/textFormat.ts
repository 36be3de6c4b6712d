/** The named forms that `FieldRules.format` may give a string: a test, and what to tell who got it wrong. */
import { isGpuProfile } from '#vocabulary/gpuProfile.ts';
import { namePattern } from '#vocabulary/ids.ts';
import { parseTimestampMs } from '#vocabulary/timestamp.ts';
import { parseBytes, parseDurationMs, parseQuantityMilli } from '#vocabulary/units.ts';

export interface TextFormat {
  readonly matches: (text: string) => boolean;
  /** After "allowed: ". */
  readonly allowed: string;
  /** A YAML number (`cpu: 64`) is taken as its text. */
  readonly takesNumbers: boolean;
}

/** As Kubernetes has it: letters, digits, `-`, `_`, `.` between a letter or digit at both ends, at most 63; may be empty. */
const labelValue = /^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/;
/** An optional DNS prefix of at most 253 characters and a slash, then a name like a value that is not empty. */
const labelKey = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const gpuModel = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

export const textFormats = {
  name: {
    matches: (text) => namePattern.test(text),
    allowed: 'a name of at most 63 lower-case letters, digits, "-" and ".", with a letter or digit at both ends',
    takesNumbers: false,
  },
  gpuModel: {
    matches: (text) => gpuModel.test(text),
    allowed: 'a GPU model such as H100: at most 63 letters, digits, "-", "_" and "."',
    takesNumbers: false,
  },
  gpuProfile: { matches: isGpuProfile, allowed: 'a MIG profile such as 1g.10gb or 1g.10gb+me', takesNumbers: false },
  label: {
    matches: (text) => labelValue.test(text),
    allowed: 'a label value: at most 63 letters, digits, "-", "_" and ".", with a letter or digit at both ends',
    takesNumbers: false,
  },
  labelKey: {
    matches: (text) => labelKey.test(text),
    allowed: 'a label key such as team or example.org/team',
    takesNumbers: false,
  },
  quantity: {
    matches: (text) => parseQuantityMilli(text) !== undefined,
    allowed: 'a quantity such as 500m, 1.5 or 64',
    takesNumbers: true,
  },
  bytes: {
    matches: (text) => parseBytes(text) !== undefined,
    allowed: 'an amount of memory such as 512Mi, 64Gi or 1.5G',
    takesNumbers: true,
  },
  duration: {
    matches: (text) => parseDurationMs(text) !== undefined,
    allowed: 'a duration such as 30s, 5m, 1h30m or 7d',
    takesNumbers: false,
  },
  timestamp: {
    matches: (text) => parseTimestampMs(text) !== undefined,
    allowed: 'a time with its offset such as 2026-11-25T10:00:00Z',
    takesNumbers: false,
  },
  decimal: { matches: (text) => /^\d{1,15}(\.\d{1,12})?$/.test(text), allowed: 'a decimal number such as 0.55', takesNumbers: true },
  cron: { matches: isCron, allowed: 'five cron fields such as "30 8 * * *"', takesNumbers: false },
} as const satisfies Readonly<Record<string, TextFormat>>;

export type TextFormatName = keyof typeof textFormats;

export function isTextFormatName(name: string): name is TextFormatName {
  return Object.hasOwn(textFormats, name);
}

/** Minute, hour, day of month, month, day of week: lists of numbers, ranges and `*`, each with an optional step. */
function isCron(text: string): boolean {
  const fields = text.split(' ');
  const ranges = [
    [0, 59],
    [0, 23],
    [1, 31],
    [1, 12],
    [0, 7],
  ] as const;
  return (
    fields.length === ranges.length &&
    ranges.every(([low, high], index) => (fields[index] ?? '').split(',').every((part) => isCronPart(part, low, high)))
  );
}

function isCronPart(part: string, low: number, high: number): boolean {
  const match = /^(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:\/([1-9]\d?))?$/.exec(part);
  if (match === null) return false;
  const [, first, last] = match;
  const from = first === undefined ? low : Number(first);
  const to = last === undefined ? from : Number(last);
  return low <= from && from <= to && to <= high;
}
