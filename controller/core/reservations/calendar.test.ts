import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { formatTimestamp, parseTimestampMs } from '#vocabulary/timestamp.ts';
import { instantOf, isTimeZone, wallAt } from '#vocabulary/wallClock.ts';
import type { Repeat } from '#vocabulary/reservation.ts';
import type { Calendar } from './calendar.ts';
import { occurrenceAfter, occurrencesFrom } from './calendar.ts';

const at = (text: string): number => parseTimestampMs(text) ?? Number.NaN;
const hourMs = 3_600_000;
const berlin = 'Europe/Berlin';

const cron = (line: string, timeZone = 'UTC'): Repeat => ({ kind: 'cron', line, timeZone, untilMs: null });
const every = (days: 1 | 7, timeZone: string, untilMs: number | null = null): Repeat => ({ kind: 'days', days, timeZone, untilMs });

/** Starts of the first occurrences from then on. */
function starts(calendar: Calendar, count: number): readonly string[] {
  return occurrencesFrom(calendar, calendar.fromMs, Infinity, count).map(({ startMs }) => formatTimestamp(startMs));
}

describe('occurrences', () => {
  test('are one where nothing repeats, and it is the next one until it ends', () => {
    const once = { fromMs: 5_000, durationMs: 2_000, repeat: null };
    expect(occurrenceAfter(once, 0)).toEqual({ startMs: 5_000, endMs: 7_000 });
    expect(occurrenceAfter(once, 6_999)).toEqual({ startMs: 5_000, endMs: 7_000 });
    expect(occurrenceAfter(once, 7_000)).toBeNull();
  });

  test('keep the time of the day while the clock of the zone changes', () => {
    const nightly = { fromMs: at('2026-10-23T02:00:00+02:00'), durationMs: hourMs, repeat: every(1, berlin) };
    expect(starts(nightly, 4)).toEqual(['2026-10-23T00:00:00Z', '2026-10-24T00:00:00Z', '2026-10-25T00:00:00Z', '2026-10-26T01:00:00Z']);
  });

  test('come each week until the time that ends them', () => {
    const fromMs = at('2026-11-25T22:00:00Z');
    const weekly = { fromMs, durationMs: hourMs, repeat: every(7, 'UTC', at('2026-12-09T22:00:00Z')) };
    expect(starts(weekly, 9)).toEqual(['2026-11-25T22:00:00Z', '2026-12-02T22:00:00Z']);
  });

  test('follow a cron line, where one kind of day is enough if both are named', () => {
    const fromMs = at('2026-11-25T12:00:00Z');
    expect(starts({ fromMs, durationMs: hourMs, repeat: cron('30 2 * * 6') }, 2)).toEqual(['2026-11-28T02:30:00Z', '2026-12-05T02:30:00Z']);
    expect(starts({ fromMs, durationMs: hourMs, repeat: cron('0 0 1 * 5') }, 3)).toEqual([
      '2026-11-27T00:00:00Z',
      '2026-12-01T00:00:00Z',
      '2026-12-04T00:00:00Z',
    ]);
    expect(starts({ fromMs, durationMs: hourMs, repeat: cron('0 0 29 2 *') }, 1)).toEqual(['2028-02-29T00:00:00Z']);
    expect(starts({ fromMs, durationMs: hourMs, repeat: cron('0 0 31 2 *') }, 1)).toEqual([]);
  });

  test('take a time that the clock skips as the first moment after, and one that it shows twice as the first', () => {
    const repeat = cron('30 2 * * *', berlin);
    expect(starts({ fromMs: at('2026-03-29T00:00:00Z'), durationMs: hourMs, repeat }, 2)).toEqual([
      '2026-03-29T01:00:00Z',
      '2026-03-30T00:30:00Z',
    ]);
    expect(starts({ fromMs: at('2026-10-25T00:00:00Z'), durationMs: hourMs, repeat }, 2)).toEqual([
      '2026-10-25T00:30:00Z',
      '2026-10-26T01:30:00Z',
    ]);
  });

  test('of a cron line are the minutes that a walk over all minutes finds', () => {
    const field = (low: number, high: number) =>
      fc.oneof(
        fc.constant('*'),
        fc.integer({ min: low, max: high }).map(String),
        fc
          .tuple(fc.integer({ min: low, max: high }), fc.integer({ min: low, max: high }))
          .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
        fc.integer({ min: 2, max: 9 }).map((step) => `*/${step}`),
      );
    const lines = fc.tuple(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6)).map((fields) => fields.join(' '));
    // Within reach of both jumps of a year, and of none.
    const days = fc.constantFrom('2026-03-28T20:00:00Z', '2026-10-24T20:00:00Z', '2026-11-25T20:00:00Z');
    fc.assert(
      fc.property(lines, days, fc.constantFrom('UTC', berlin, 'America/New_York', 'Asia/Kolkata'), (line, day, timeZone) => {
        const fromMs = at(day);
        const found = occurrenceAfter({ fromMs, durationMs: 60_000, repeat: cron(line, timeZone) }, fromMs)?.startMs ?? Infinity;
        const walked = firstByWalking(line, timeZone, fromMs, 36 * 60);
        if (walked === null) expect(found).toBeGreaterThanOrEqual(fromMs + 36 * hourMs);
        else expect(formatTimestamp(found)).toBe(formatTimestamp(walked));
      }),
      { numRuns: cases(60) },
    );
  });

  test('come one after the other, whatever is asked for', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4e12 }),
        fc.integer({ min: 1, max: 3 * 24 * hourMs }),
        fc.constantFrom(every(1, berlin), every(7, 'America/Santiago'), cron('0 */6 * * *', berlin), null),
        fc.integer({ min: 0, max: 4e12 }),
        (fromMs, durationMs, repeat, afterMs) => {
          const found = occurrenceAfter({ fromMs, durationMs, repeat }, afterMs);
          if (found === null) return;
          expect(found.endMs).toBeGreaterThan(afterMs);
          expect(found.startMs).toBeGreaterThanOrEqual(fromMs);
          expect(found.endMs - found.startMs).toBe(durationMs);
          expect(occurrenceAfter({ fromMs, durationMs, repeat }, found.endMs - 1)).toEqual(found);
        },
      ),
      { numRuns: cases(100) },
    );
  });
});

/** Every minute, by what the clock shows: a second way to the same answer. */
function firstByWalking(line: string, timeZone: string, fromMs: number, minutes: number): number | null {
  const [minute = '', hour = '', dayOfMonth = '', month = '', weekday = ''] = line.split(' ');
  let lastWall = wallAt(fromMs - 60_000, timeZone);
  for (let ms = fromMs; ms < fromMs + minutes * 60_000; ms += 60_000) {
    const wall = wallAt(ms, timeZone);
    // What was skipped counts now, what is shown again not again.
    for (let shown = lastWall + 60_000; shown <= wall; shown += 60_000) {
      const date = new Date(shown);
      const byMonth = names(dayOfMonth, date.getUTCDate(), 1);
      const byWeek = names(weekday, date.getUTCDay(), 0);
      const isDay = dayOfMonth.startsWith('*') || weekday.startsWith('*') ? byMonth && byWeek : byMonth || byWeek;
      if (isDay && names(minute, date.getUTCMinutes(), 0) && names(hour, date.getUTCHours(), 0) && names(month, date.getUTCMonth() + 1, 1))
        return ms;
    }
    lastWall = Math.max(lastWall, wall);
  }
  return null;
}

function names(field: string, value: number, low: number): boolean {
  if (field.startsWith('*/')) return (value - low) % Number(field.slice(2)) === 0;
  const [first, last = first] = field.split('-');
  return field === '*' || (Number(first) <= value && value <= Number(last));
}

describe('a wall clock', () => {
  test('shows what the zone says, and back', () => {
    expect(wallAt(at('2026-07-01T00:00:00Z'), 'Asia/Kolkata') - at('2026-07-01T00:00:00Z')).toBe(5.5 * hourMs);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4e12 }),
        fc.constantFrom('UTC', berlin, 'Pacific/Apia', 'Australia/Lord_Howe'),
        (ms, timeZone) => {
          const wall = wallAt(ms, timeZone);
          const back = instantOf(wall, timeZone);
          expect(wallAt(back, timeZone)).toBe(wall);
          expect(back).toBeLessThanOrEqual(ms);
        },
      ),
      { numRuns: cases(200) },
    );
  });

  test('knows names of zones, and takes no offset for one', () => {
    expect(['UTC', berlin, 'Etc/GMT+5'].map(isTimeZone)).toEqual([true, true, true]);
    expect(['', '+02:00', 'Berlin', 'Mars/Olympus'].map(isTimeZone)).toEqual([false, false, false, false]);
  });
});
