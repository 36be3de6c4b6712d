import type { ReservationName, UserName } from '#vocabulary/ids.ts';
import type { Reply, Request } from '../inputs.ts';
import type { ReservationView } from '../state/view.ts';
import { suggest } from '../suggest.ts';
import type { Turn } from '../turn.ts';
import { judgeReservation } from './judgeReservation.ts';

/** Creates or changes a reservation, also one that is under way. Two that have a node at the same time are refused. */
export function onApplyReservation(turn: Turn, request: Extract<Request, { kind: 'applyReservation' }>): Reply {
  const { name, labels, spec, user } = request;
  const { reservations } = turn.state;
  const old = reservations.get(name) ?? null;
  if (old !== null && isSame(old, request)) return { kind: 'applied', outcome: 'unchanged', uid: name };
  const { reservationObjectsMax } = turn.context.policy;
  const planned = [...reservations.values()].filter(({ occurrence }) => occurrence !== null).length;
  if (planned >= reservationObjectsMax && (old === null || old.occurrence === null))
    return refuse(
      'RESOURCE_EXHAUSTED',
      '',
      `the cluster keeps at most ${reservationObjectsMax} reservations that are not over; delete some`,
    );
  const verdict = judgeReservation(turn, name, spec, old);
  if (!verdict.ok) return refuse('INVALID_ARGUMENT', verdict.problem.field, verdict.problem.message);
  const { fromMs, occurrence, chosen } = verdict;
  turn.emit({ kind: 'ReservationApplied', name, spec, labels, by: user, fromMs, occurrence, chosen });
  return { kind: 'applied', outcome: old === null ? 'created' : 'configured', uid: name };
}

/** Ends it at once, if it is under way. Who was asked to leave leaves. */
export function onDeleteReservation(turn: Turn, name: ReservationName, user: UserName): Reply {
  const { reservations } = turn.state;
  if (!reservations.has(name)) return refuse('NOT_FOUND', '', `reservations "${name}" not found${suggest(name, reservations.keys())}`);
  turn.emit({ kind: 'ReservationRemoved', name, by: user });
  return { kind: 'changed', changed: true, jobs: [], uid: name };
}

/** One that is over is made anew by the same manifest, if that says no time or one to come. */
function isSame(old: ReservationView, { spec, labels }: Pick<ReservationView, 'spec' | 'labels'>): boolean {
  return old.occurrence !== null && JSON.stringify([old.spec, old.labels]) === JSON.stringify([spec, labels]);
}

function refuse(code: 'INVALID_ARGUMENT' | 'NOT_FOUND' | 'RESOURCE_EXHAUSTED', field: string, message: string): Reply {
  return { kind: 'refused', code, field, message };
}
