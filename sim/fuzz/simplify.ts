import type { Mapping, Value } from './fuzzCase.ts';
import { leaveOut } from './leaveOut.ts';

/** Makes one entry simpler at every depth: without fields and items that are not needed, then with smaller numbers. `offer` says whether to go on from there. */
export function simplify(entry: Mapping, offer: (simpler: Mapping) => boolean): void {
  let best: Value = entry;
  simplifyAt({ read: () => best, write: (value) => value }, (value) => {
    if (!isMapping(value) || !offer(value)) return false;
    best = value;
    return true;
  });
}

/** A place inside the entry. */
interface Spot {
  read(): Value | undefined;
  /** The whole entry with another value there. */
  write(value: Value): Value;
}

function simplifyAt(spot: Spot, offer: (whole: Value) => boolean): void {
  const value = spot.read();
  if (isMapping(value)) {
    leaveOut(
      () => Object.entries(mappingAt(spot)),
      (fields) => offer(spot.write(Object.fromEntries(fields))),
    );
    for (const name of Object.keys(mappingAt(spot)))
      simplifyAt({ read: () => mappingAt(spot)[name], write: (inner) => spot.write({ ...mappingAt(spot), [name]: inner }) }, offer);
  } else if (isList(value)) {
    leaveOut(
      () => listAt(spot),
      (items) => offer(spot.write(items)),
    );
    for (let at = listAt(spot).length - 1; at >= 0; at -= 1)
      simplifyAt({ read: () => listAt(spot)[at], write: (inner) => spot.write(listAt(spot).with(at, inner)) }, offer);
  } else if (value !== undefined) {
    // The smallest that will do; each try halves what is left.
    for (const smaller of smallerThan(value)) if (offer(spot.write(smaller))) return;
  }
}

function smallerThan(value: Value): readonly Value[] {
  if (typeof value === 'number') return fewer(value);
  if (typeof value !== 'string') return [];
  const [, amount, unit] = /^(\d+)(ms|s|m|h)$/.exec(value) ?? [];
  return amount === undefined || unit === undefined ? [] : fewer(Number(amount)).map((less) => `${less}${unit}`);
}

const fewer = (value: number): readonly number[] =>
  [0, 1, Math.floor(value / 4), Math.floor(value / 2)].filter((less, at, all) => less < value && all.indexOf(less) === at);

function mappingAt(spot: Spot): Mapping {
  const value = spot.read();
  return isMapping(value) ? value : {};
}

function listAt(spot: Spot): readonly Value[] {
  const value = spot.read();
  return isList(value) ? value : [];
}

const isList = (value: Value | undefined): value is readonly Value[] => Array.isArray(value);

const isMapping = (value: Value | undefined): value is Mapping => typeof value === 'object' && value !== null && !Array.isArray(value);
