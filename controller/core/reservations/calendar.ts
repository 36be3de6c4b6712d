import { assertNever } from '#vocabulary/assert.ts';
import type { Occurrence, Repeat, ReservationSpec } from '#vocabulary/reservation.ts';
import { dayMs } from '#vocabulary/timestamp.ts';
import { instantOf, wallAt } from '#vocabulary/wallClock.ts';
import type { ReservationView } from '../state/view.ts';
import { isCronDay, parseCronLine } from './cronLine.ts';

/**
 * When a reservation is: its occurrences, one after the other. Pure arithmetic on the spec and the rules of its time zone.
 * The log keeps the occurrence that is under way or next, so that a log folds to the same state whatever those rules become.
 */
export interface Calendar extends Pick<ReservationSpec, 'durationMs' | 'repeat'> {
  /** Of the first occurrence, or from when on a cron line counts. */
  readonly fromMs: number;
}

export const calendarOf = ({ spec, fromMs }: Pick<ReservationView, 'spec' | 'fromMs'>): Calendar => ({
  durationMs: spec.durationMs,
  repeat: spec.repeat,
  fromMs,
});

/** The first occurrence that ends after `afterMs`; null: none any more. */
export function occurrenceAfter({ fromMs, durationMs, repeat }: Calendar, afterMs: number): Occurrence | null {
  // Starts later than this, and not before it counts at all.
  const startsAfterMs = Math.max(fromMs - 1, afterMs - durationMs);
  const startMs = repeat === null ? onceAfter(fromMs, startsAfterMs) : repeatedAfter(fromMs, repeat, startsAfterMs);
  if (startMs === null || (repeat !== null && repeat.untilMs !== null && startMs >= repeat.untilMs)) return null;
  return { startMs, endMs: startMs + durationMs };
}

/** The first occurrences that end after `afterMs`, and start before `untilMs`: at most `most`. */
export function occurrencesFrom(calendar: Calendar, afterMs: number, untilMs: number, most: number): readonly Occurrence[] {
  const found: Occurrence[] = [];
  let next = occurrenceAfter(calendar, afterMs);
  while (next !== null && next.startMs < untilMs && found.length < most) {
    found.push(next);
    // One that starts later ends later, also when it begins before this one is over.
    next = occurrenceAfter(calendar, next.endMs);
  }
  return found;
}

const onceAfter = (startMs: number, afterMs: number): number | null => (startMs > afterMs ? startMs : null);

function repeatedAfter(fromMs: number, repeat: Repeat, afterMs: number): number | null {
  switch (repeat.kind) {
    case 'days':
      return nextOfDays(fromMs, repeat, afterMs);
    case 'cron':
      return nextOfCron(repeat, afterMs);
    default:
      return assertNever(repeat);
  }
}

function nextOfDays(fromMs: number, { days, timeZone }: Extract<Repeat, { kind: 'days' }>, afterMs: number): number {
  const firstWall = wallAt(fromMs, timeZone);
  // A clock is never two days off, so this one is early enough.
  const early = Math.floor((afterMs - fromMs) / (days * dayMs)) - 2;
  for (let at = Math.max(0, early); ; at += 1) {
    const startMs = instantOf(firstWall + at * days * dayMs, timeZone);
    if (startMs > afterMs) return startMs;
  }
}

/** A 29 February may be eight years away. */
const cronDaysMax = 8 * 366 + 1;

function nextOfCron({ line, timeZone }: Extract<Repeat, { kind: 'cron' }>, afterMs: number): number | null {
  const cron = parseCronLine(line);
  const wall = wallAt(afterMs, timeZone);
  const today = Math.floor(wall / dayMs);
  // From the day before: a clock that was set back shows the end of it again.
  for (let day = today - 1; day < today + cronDaysMax; day += 1) {
    if (!isCronDay(cron, day)) continue;
    for (const hour of cron.hours) {
      for (const minute of cron.minutes) {
        const time = day * dayMs + (hour * 60 + minute) * 60_000;
        // Most of today is over: to ask the clock of the zone costs.
        if (time < wall - dayMs / 4) continue;
        const startMs = instantOf(time, timeZone);
        if (startMs > afterMs) return startMs;
      }
    }
  }
  return null;
}
