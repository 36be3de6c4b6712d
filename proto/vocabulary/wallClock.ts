import { dayMs, dateOf, daysSince1970 } from './timestamp.ts';

/**
 * Between points in time and what clocks on a wall show in a time zone. The rules of the zones are those of the time zone
 * database that Node carries: an answer for a far future may change with Node, so whoever decides by one keeps the decision.
 *
 * Twice a year a wall clock jumps in many zones. A time that it shows twice is taken as the first of the two; one that it
 * skips, as the first moment after the jump.
 */

/** What the clock shows, as milliseconds since 1970-01-01T00:00 on the same clock. */
export type WallMs = number;

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'iso8601',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formats.set(timeZone, format);
  return format;
}

/** A name of the time zone database, such as Europe/Berlin or UTC; an offset is none. */
export function isTimeZone(text: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(text)) return false;
  try {
    formatOf(text);
    return true;
  } catch {
    return false;
  }
}

/** Names that most likely were meant. */
export const timeZones = (): readonly string[] => ['UTC', ...Intl.supportedValuesOf('timeZone')];

export function wallAt(ms: number, timeZone: string): WallMs {
  if (timeZone === 'UTC') return ms;
  const shown = new Map(
    formatOf(timeZone)
      .formatToParts(ms)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const part = (type: Intl.DateTimeFormatPartTypes): number => shown.get(type) ?? 0;
  const seconds = (part('hour') * 60 + part('minute')) * 60 + part('second');
  return daysSince1970(part('year'), part('month'), part('day')) * dayMs + seconds * 1_000 + (((ms % 1_000) + 1_000) % 1_000);
}

export function instantOf(wall: WallMs, timeZone: string): number {
  if (timeZone === 'UTC') return wall;
  // No zone jumps twice in two days, so that these are what holds before and after the jump, if there is one.
  const before = offsetAt(wall - dayMs, timeZone);
  const after = offsetAt(wall + dayMs, timeZone);
  const found = [wall - before, wall - after].filter((ms) => wallAt(ms, timeZone) === wall);
  return found.length > 0 ? Math.min(...found) : jumpBetween(wall - dayMs, wall + dayMs, timeZone);
}

/** How far the wall clock is ahead of UTC. */
const offsetAt = (ms: number, timeZone: string): number => wallAt(ms, timeZone) - ms;

/** The first millisecond with the later offset. */
function jumpBetween(fromMs: number, toMs: number, timeZone: string): number {
  const after = offsetAt(toMs, timeZone);
  let [low, high] = [fromMs, toMs];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(middle, timeZone) === after) high = middle;
    else low = middle;
  }
  return high;
}

/** Day of the week of a day counted from 1970-01-01: 0 is Sunday, as cron has it. */
export const weekdayOf = (day: number): number => (((day + 4) % 7) + 7) % 7;

/** Month (1..12) and day of the month of a day counted from 1970-01-01. */
export function monthDayOf(day: number): { readonly month: number; readonly dayOfMonth: number } {
  const [, month, dayOfMonth] = dateOf(day);
  return { month, dayOfMonth };
}
