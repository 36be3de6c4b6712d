import { assert } from '#vocabulary/assert.ts';
import { monthDayOf, weekdayOf } from '#vocabulary/wallClock.ts';

/** The five fields of a cron line as the numbers that they name, in order. */
export interface CronLine {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly daysOfMonth: readonly number[];
  readonly months: readonly number[];
  /** 0 is Sunday. */
  readonly weekdays: readonly number[];
  /** As cron has it: where both kinds of days are restricted, one of them is enough. */
  readonly isEitherDay: boolean;
}

/** The form of the line was checked when it was taken (proto/codec). */
export function parseCronLine(line: string): CronLine {
  const fields = line.split(' ');
  const [minute = '*', hour = '*', dayOfMonth = '*', month = '*', weekday = '*'] = fields;
  assert(fields.length === 5, `a cron line has five fields: ${line}`);
  return {
    minutes: numbersOf(minute, 0, 59),
    hours: numbersOf(hour, 0, 23),
    daysOfMonth: numbersOf(dayOfMonth, 1, 31),
    months: numbersOf(month, 1, 12),
    weekdays: [...new Set(numbersOf(weekday, 0, 7).map((day) => day % 7))].sort((left, right) => left - right),
    isEitherDay: !dayOfMonth.startsWith('*') && !weekday.startsWith('*'),
  };
}

/** Lists of numbers, ranges and `*`, each with an optional step. A number with a step begins a range to the end. */
function numbersOf(field: string, low: number, high: number): readonly number[] {
  const found = new Set<number>();
  for (const part of field.split(',')) {
    const [range = '*', step] = part.split('/');
    const [first, last] = range === '*' ? [low, high] : range.split('-').map(Number);
    const from = first ?? low;
    const to = last ?? (step === undefined ? from : high);
    for (let value = from; value <= to; value += Number(step ?? 1)) found.add(value);
  }
  return [...found].sort((left, right) => left - right);
}

/** `day` is counted from 1970-01-01. */
export function isCronDay({ months, daysOfMonth, weekdays, isEitherDay }: CronLine, day: number): boolean {
  const { month, dayOfMonth } = monthDayOf(day);
  if (!months.includes(month)) return false;
  const [byMonth, byWeek] = [daysOfMonth.includes(dayOfMonth), weekdays.includes(weekdayOf(day))];
  return isEitherDay ? byMonth || byWeek : byMonth && byWeek;
}
