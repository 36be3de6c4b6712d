import { parseDurationMs } from '#vocabulary/units.ts';
import { memberPath } from './fieldPath.ts';
import { excerpt, kindOfValue, type Problems } from './fieldProblem.ts';
import { readFields } from './fields.ts';

/**
 * What a file changes of a set of settings. The defaults are also the schema: a setting is what they name, of the kind that
 * they have, so that a new one can be set at once. A number whose name ends in `Ms` may be a duration (`5m`).
 * What is wrong is told to `problems`, and left out. `readers`: of settings whose defaults do not tell what they may be.
 */
export function readSettings(
  value: unknown,
  path: string,
  defaults: Readonly<Record<string, unknown>>,
  problems: Problems,
  readers: Readonly<Record<string, SettingReader>> = {},
): Record<string, unknown> {
  const fields = readFields(value, path, Object.keys(defaults), problems);
  const settings: Record<string, unknown> = {};
  for (const name of fields?.names() ?? []) {
    const read = readers[name];
    const [raw, inner] = [fields?.raw(name), memberPath(path, name)];
    const setting = read === undefined ? readSetting(raw, inner, defaults[name], problems) : read(raw, inner, problems);
    if (setting !== undefined) settings[name] = setting;
  }
  return settings;
}

/** undefined: there is a problem, and it is told. */
export type SettingReader = (value: unknown, path: string, problems: Problems) => unknown;

/** Numbers above 0 under some of these names. */
export function positiveNumbers(names: readonly string[]): SettingReader {
  return (value, path, problems) => {
    const fields = readFields(value, path, names, problems);
    const numbers: Record<string, number> = {};
    for (const name of fields?.names() ?? []) {
      const number = fields?.raw(name);
      if (typeof number === 'number' && Number.isFinite(number) && number > 0) numbers[name] = number;
      else problems.add(memberPath(path, name), `${excerpt(number)} is not allowed; allowed: a number above 0`);
    }
    return numbers;
  };
}

/** undefined: there is a problem, and it is told. */
function readSetting(value: unknown, path: string, fallback: unknown, problems: Problems): unknown {
  if (isMapping(fallback)) return { ...fallback, ...readSettings(value, path, fallback, problems) };
  // A setting that may be absent says nothing of its kind.
  if (fallback === null) return value;
  if (typeof fallback === 'number') {
    const number = path.endsWith('Ms') && typeof value === 'string' ? parseDurationMs(value) : value;
    if (typeof number === 'number' && Number.isFinite(number) && number >= 0) return number;
    problems.add(path, `${excerpt(value)} is not allowed; allowed: a number from 0${path.endsWith('Ms') ? ', or a duration' : ''}`);
    return undefined;
  }
  if (kindOfValue(value) === kindOfValue(fallback)) return value;
  problems.add(path, `${excerpt(value)} is ${kindOfValue(value)}; allowed: ${kindOfValue(fallback)}`);
  return undefined;
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
