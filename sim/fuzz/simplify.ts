import type { Mapping, Value } from './fuzzCase.ts';

/** Simpler forms of an entry, the boldest first: without a field, or with a smaller number, at any depth. Each is shorter, or smaller. */
export function simplify(entry: Mapping): readonly Mapping[] {
  return formsOf(entry).filter(isMapping);
}

function formsOf(value: Value): readonly Value[] {
  if (Array.isArray(value)) {
    const items: readonly Value[] = value;
    return items.flatMap((item, at) => [items.toSpliced(at, 1), ...formsOf(item).map((form) => items.with(at, form))]);
  }
  if (isMapping(value)) {
    return Object.entries(value).flatMap(([name, inner]) => [
      without(value, name),
      ...formsOf(inner).map((form) => ({ ...value, [name]: form })),
    ]);
  }
  if (typeof value === 'number') return smaller(value);
  if (typeof value !== 'string') return [];
  const [, amount, unit] = /^(\d+)(ms|s|m|h)$/.exec(value) ?? [];
  return amount === undefined || unit === undefined ? [] : smaller(Number(amount)).map((less) => `${less}${unit}`);
}

function without(mapping: Mapping, name: string): Mapping {
  return Object.fromEntries(Object.entries(mapping).filter(([other]) => other !== name));
}

function smaller(value: number): readonly number[] {
  return [0, 1, Math.floor(value / 2)].filter(
    (less, at, all) => less >= 0 && less < value && all.indexOf(less) === at,
  );
}

const isMapping = (value: Value): value is Mapping => typeof value === 'object' && value !== null && !Array.isArray(value);
