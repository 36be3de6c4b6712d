import type { NodeName, ReservationName } from '#vocabulary/ids.ts';
import type { Occurrence } from '#vocabulary/reservation.ts';
import { dayMs } from '#vocabulary/timestamp.ts';
import type { ReservationView } from '../state/view.ts';
import type { Turn } from '../turn.ts';
import type { Calendar } from './calendar.ts';
import { calendarOf, occurrenceAfter, occurrencesFrom } from './calendar.ts';
import { nodesOf } from './reservedNodes.ts';

/** Occurrences beyond these are not compared: where two calendars meet later, both reservations hold. */
const comparedMax = 128;
const comparedMs = 366 * dayMs;

/** Another reservation, and when the two are at the same time for the first time. */
export interface Meeting {
  readonly other: ReservationView;
  readonly occurrence: Occurrence;
}

/** Reservations but this one that are under way at the same time at some time, by name. */
export function meetingsOf(turn: Turn, name: ReservationName, calendar: Calendar): readonly Meeting[] {
  const { state, context } = turn;
  return [...state.reservations.values()]
    .filter((other) => other.name !== name && other.occurrence !== null)
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .flatMap((other) => {
      const occurrence = firstMeeting(calendar, calendarOf(other), context.nowMs);
      return occurrence === null ? [] : [{ other, occurrence }];
    });
}

/** Nodes that others have at the same time at some time. */
export function takenNodes(turn: Turn, name: ReservationName, calendar: Calendar): ReadonlySet<NodeName> {
  const { levels } = turn.context.policy;
  return new Set(meetingsOf(turn, name, calendar).flatMap(({ other }) => nodesOf(turn.state, levels, other)));
}

/** The first occurrence of `right` that begins before one of `left` is over; null: none within reach. */
function firstMeeting(left: Calendar, right: Calendar, nowMs: number): Occurrence | null {
  // Who comes once is compared once.
  const [few, many] = left.repeat === null ? [left, right] : [right, left];
  for (const occurrence of occurrencesFrom(few, nowMs, nowMs + comparedMs, comparedMax)) {
    const other = occurrenceAfter(many, Math.max(occurrence.startMs, nowMs));
    if (other !== null && other.startMs < occurrence.endMs) return few === right ? occurrence : other;
  }
  return null;
}

/** Two occurrences of one calendar of which the second begins before the first is over; null: none. */
export function findSelfMeeting(calendar: Calendar, nowMs: number): readonly [Occurrence, Occurrence] | null {
  if (calendar.repeat === null) return null;
  let last: Occurrence | null = null;
  // Of starts alone: with their length, one that is inside another would be passed over.
  for (const { startMs } of occurrencesFrom({ ...calendar, durationMs: 1 }, nowMs, nowMs + comparedMs, comparedMax)) {
    const next: Occurrence = { startMs, endMs: startMs + calendar.durationMs };
    if (last !== null && next.startMs < last.endMs) return [last, next];
    last = next;
  }
  return null;
}
