import type { Policy } from '#core/context.ts';
import { defaultPolicy } from '#controller/limits.ts';
import { memberPath } from '#codec/fieldPath.ts';
import { excerpt, kindOfValue, type Problems } from '#codec/fieldProblem.ts';
import type { Levels } from '#vocabulary/topology.ts';
import { parseDurationMs } from '#vocabulary/units.ts';
import { readFields } from './fields.ts';

/**
 * The controller's own defaults with what the file changes. The defaults are also the schema: a setting is what they
 * name, of the kind that they have, so that a new setting of the core can be used here at once.
 */
export function parsePolicy(value: unknown, path: string, levels: Levels, problems: Problems): Policy {
  const changes = value === undefined ? {} : readSettings(value, path, { ...defaultPolicy }, problems);
  if (changes['levels'] !== undefined) problems.add(memberPath(path, 'levels'), 'is given by cluster.levels');
  return { ...Object.assign({ ...defaultPolicy }, changes), levels };
}

function readSettings(
  value: unknown,
  path: string,
  defaults: Readonly<Record<string, unknown>>,
  problems: Problems,
): Record<string, unknown> {
  const fields = readFields(value, path, Object.keys(defaults), problems);
  const settings: Record<string, unknown> = {};
  for (const name of fields?.names() ?? []) {
    const setting = readSetting(fields?.raw(name), memberPath(path, name), defaults[name], problems);
    if (setting !== undefined) settings[name] = setting;
  }
  return settings;
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
