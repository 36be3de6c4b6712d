import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatTimestamp, parseTimestampMs } from './timestamp.ts';

test('prints what the platform prints, and reads it back', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (ms) => {
      expect(formatTimestamp(ms)).toBe(new Date(ms).toISOString().replace('.000Z', 'Z'));
      expect(parseTimestampMs(formatTimestamp(ms))).toBe(ms);
    }),
  );
});

test('every day of four centuries', () => {
  for (let day = 0; day < 146_097; day += 1) {
    const ms = day * 86_400_000;
    if (formatTimestamp(ms).slice(0, 10) !== new Date(ms).toISOString().slice(0, 10)) expect(formatTimestamp(ms)).toBe(day);
    if (parseTimestampMs(formatTimestamp(ms)) !== ms) expect(formatTimestamp(ms)).toBe(day);
  }
});

test.each([
  ['2026-11-25T11:00:00+01:00', Date.UTC(2026, 10, 25, 10)],
  ['2026-11-25t10:00:00.25z', Date.UTC(2026, 10, 25, 10, 0, 0, 250)],
  ['2024-02-29T00:00:00-05:30', Date.UTC(2024, 1, 29, 5, 30)],
  ['1970-01-01T00:00:00Z', 0],
])('%s is a time', (text, want) => expect(parseTimestampMs(text)).toBe(want));

test.each([
  '2026-11-25',
  '2026-11-25T10:00:00',
  '2026-11-25 10:00:00Z',
  '2026-02-29T00:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-00-10T00:00:00Z',
  '2026-01-00T00:00:00Z',
  '2026-01-01T24:00:00Z',
  '2026-01-01T00:60:00Z',
  '2026-01-01T00:00:60Z',
  '2026-01-01T00:00:00+24:00',
  '1969-12-31T23:59:59Z',
  'tomorrow',
])('%s is none', (text) => expect(parseTimestampMs(text)).toBeUndefined());
