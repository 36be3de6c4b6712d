import type { ReservationRecord } from './record.ts';
import { assertNever } from '#vocabulary/assert.ts';
import type { NodeName } from '#vocabulary/ids.ts';
import type { ReservationEvent } from '../events.ts';
import { changeNode } from '../ledger/rates.ts';
import { settleReservation } from '../ledger/settle.ts';
import type { State } from '../state/state.ts';
import { markChanged } from '../state/state.ts';

/** Folds what happens to a reservation. */
export function applyReservationEvent(state: State, event: ReservationEvent & { readonly atMs: number }): void {
  state.scheduleDirty = true;
  if (event.kind === 'ReservationApplied') {
    register(state, event);
    return;
  }
  const reservation = state.reservations.get(event.name);
  if (reservation === undefined) return;
  reservation.changedAt = state.revision;
  switch (event.kind) {
    case 'ReservationOpened':
      reservation.isOpen = true;
      mark(state, reservation, event.nodes);
      return;
    case 'ReservationClosed':
      unmark(state, reservation);
      reservation.occurrence = event.next;
      return;
    case 'ReservationNodesChosen':
      reservation.chosen = event.chosen;
      return;
    case 'ReservationRemoved':
      unmark(state, reservation);
      state.reservations.delete(event.name);
      return;
    default:
      assertNever(event);
  }
}

/** One that is under way and changed is opened anew, at once, on the nodes that it has now. */
function register(state: State, event: Extract<ReservationEvent, { kind: 'ReservationApplied' }> & { readonly atMs: number }): void {
  const { name, spec, labels, by, fromMs, occurrence, chosen, atMs } = event;
  const old = state.reservations.get(name);
  const facts = { spec, labels, by, fromMs, occurrence, chosen, changedAt: state.revision };
  if (old !== undefined) {
    unmark(state, old);
    Object.assign(old, facts);
    return;
  }
  const ledger = { amount: 0n, milli: 0, settledAtMs: state.ledger.nowMs };
  state.reservations.set(name, { name, ...facts, createdAtMs: atMs, isOpen: false, ledger });
}

function mark(state: State, reservation: ReservationRecord, nodes: readonly NodeName[]): void {
  settleReservation(state, reservation);
  const reserved = { name: reservation.name, purpose: reservation.spec.purpose, atMs: state.atMs };
  for (const name of nodes) {
    const node = state.nodes.get(name);
    if (node === undefined) continue;
    changeNode(state, node, () => {
      node.reserved = reserved;
    });
    markChanged(state, node);
  }
}

function unmark(state: State, reservation: ReservationRecord): void {
  if (!reservation.isOpen) return;
  reservation.isOpen = false;
  for (const node of state.nodes.values()) {
    if (node.reserved?.name !== reservation.name) continue;
    changeNode(state, node, () => {
      node.reserved = null;
    });
    markChanged(state, node);
  }
}
