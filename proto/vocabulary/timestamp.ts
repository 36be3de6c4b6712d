/**
 * Points in time as people write them (RFC 3339, `2026-11-25T10:00:00Z`) and as the core counts them: milliseconds
 * since 1970. Plain arithmetic on the Gregorian calendar, so that the core, which has no clock, can print one too.
 */
export const dayMs = 86_400_000;
/** 9999-12-31T23:59:59.999Z: the last one of four digits. */
const timestampMsMax = 253_402_300_799_999;

/** With an offset, always; 1970 or later. A day that no month has is no time; a leap second neither. */
export function parseTimestampMs(text: string): number | undefined {
  const match = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/.exec(text);
  if (match === null) return undefined;
  const part = (index: number): number => Number(match[index] ?? 0);
  const [year, month, day, hour, minute, second, offsetHour, offsetMinute] = [1, 2, 3, 4, 5, 6, 9, 10].map(part);
  if (year === undefined || month === undefined || day === undefined || hour === undefined || minute === undefined) return undefined;
  if (second === undefined || offsetHour === undefined || offsetMinute === undefined) return undefined;
  if (month < 1 || month > 12 || day < 1 || day > daysOfMonth(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 59 || offsetHour > 23 || offsetMinute > 59) return undefined;
  const fractionMs = Number((match[7] ?? '').slice(0, 3).padEnd(3, '0'));
  const offsetMs = (offsetHour * 60 + offsetMinute) * 60_000 * (match[8] === '-' ? -1 : 1);
  const ms = daysSince1970(year, month, day) * dayMs + ((hour * 60 + minute) * 60 + second) * 1000 + fractionMs - offsetMs;
  return ms >= 0 && ms <= timestampMsMax ? ms : undefined;
}

/** In UTC, with the milliseconds where there are any. */
export function formatTimestamp(ms: number): string {
  const days = Math.floor(ms / dayMs);
  const restMs = ms - days * dayMs;
  const [year, month, day] = dateOf(days);
  const two = (value: number): string => String(value).padStart(2, '0');
  const time = [Math.floor(restMs / 3_600_000), Math.floor(restMs / 60_000) % 60, Math.floor(restMs / 1000) % 60].map(two).join(':');
  const fraction = restMs % 1000 === 0 ? '' : `.${String(restMs % 1000).padStart(3, '0')}`;
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${time}${fraction}Z`;
}

const isLeapYear = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

function daysOfMonth(year: number, month: number): number {
  if (month === 2) return isLeapYear(year) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/** Of a date of the Gregorian calendar. Years begin in March here, so that the leap day is the last of its year. */
export function daysSince1970(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return shifted * 365 + Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400) + dayOfYear - daysBefore1970;
}

/** From 1 March of the year 0 to 1 January 1970. */
const daysBefore1970 = 719_468;

/** Eras of 400 years are equal; the same arithmetic backwards (H. Hinnant, "chrono-compatible low-level date algorithms"). */
export function dateOf(days: number): readonly [year: number, month: number, day: number] {
  const shifted = days + daysBefore1970;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  return [era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day];
}
