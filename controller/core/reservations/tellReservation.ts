import type { Occurrence, ReservationSpec } from '#vocabulary/reservation.ts';
import { formatTimestamp } from '#vocabulary/timestamp.ts';
import type { ReservationEvent } from '../events.ts';
import type { RecentEvent } from '../state/state.ts';
import type { StateView } from '../state/view.ts';

type Told = Omit<RecentEvent, 'revision' | 'atMs'>;

/** What of a reservation's events people are told. Called before the event is folded. */
export function tellReservation(state: StateView, event: ReservationEvent): Told {
  const say = (reason: string, message: string, type: Told['type'] = 'Normal'): Told => ({
    objectKind: 'Reservation',
    objectName: event.name,
    type,
    reason,
    message,
  });
  switch (event.kind) {
    case 'ReservationApplied':
      return say('Applied', `by ${event.by}: ${describeSpec(event.spec)} ${describeTime(event.occurrence)}${on(event.chosen ?? [])}`);
    case 'ReservationOpened': {
      const known = state.reservations.get(event.name);
      const until = known?.occurrence === undefined || known.occurrence === null ? '' : ` until ${formatTimestamp(known.occurrence.endMs)}`;
      return known?.isOpen === true
        ? say('Joined', `also${on(event.nodes)}`)
        : say('Begun', `${until.trimStart()}${on(event.nodes)}`.trimStart());
    }
    case 'ReservationClosed':
      return say('Ended', event.next === null ? 'it is over' : `next ${describeTime(event.next)}`);
    case 'ReservationNodesChosen':
      return say('NodesChanged', event.message, 'Warning');
    case 'ReservationRemoved':
      return say('Removed', event.by === null ? 'it was over long ago' : `by ${event.by}`);
  }
}

const describeTime = ({ startMs, endMs }: Occurrence): string => `from ${formatTimestamp(startMs)} until ${formatTimestamp(endMs)}`;

function describeSpec({ purpose, reason, users, queues, jobs }: ReservationSpec): string {
  const who = [
    ...(users.length === 0 ? [] : [`users ${users.join(', ')}`]),
    ...(queues.length === 0 ? [] : [`queues ${queues.join(', ')}`]),
    ...(jobs.length === 0 ? [] : [`jobs ${jobs.join(', ')}`]),
  ];
  const why = reason === '' ? '' : ` (${reason})`;
  return purpose === 'maintenance' ? `maintenance${why}` : `for ${who.join(', ')}${why}`;
}

/** ` on n1, n2`; long lists are cut. */
function on(nodes: readonly string[]): string {
  if (nodes.length === 0) return '';
  const shown = nodes.slice(0, 16).join(', ');
  return ` on ${shown}${nodes.length > 16 ? ` and ${nodes.length - 16} more nodes` : ''}`;
}
