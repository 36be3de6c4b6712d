import type { Event } from '#gen/shoal/v1/event_pb.js';
import { formatAge, timeMs } from '../../print/format.ts';
import type { Section } from '../../print/sections.ts';

/** Oldest first, as the server lists them. */
export function eventsSection(events: readonly Event[], nowMs: number): Section {
  return {
    kind: 'table',
    title: 'Events',
    heads: ['Type', 'Reason', 'Age', 'Message'],
    rows: events.map(({ type, reason, message, at }) => [type, reason, at === undefined ? '-' : formatAge(nowMs - timeMs(at)), message]),
    empty: '<none>',
  };
}
