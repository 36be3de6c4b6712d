import type { NodeName, ReservationName, Revision, UserName } from '#vocabulary/ids.ts';
import type { Occurrence, ReservationSpec } from '#vocabulary/reservation.ts';
import type { Labels } from '../events.ts';

/** What the state knows of a reservation. */
export interface ReservationRecord {
  readonly name: ReservationName;
  spec: ReservationSpec;
  labels: Labels;
  by: UserName;
  readonly createdAtMs: number;
  changedAt: Revision;
  /** From when on its calendar counts. */
  fromMs: number;
  /** Under way, or the next one; null: it is over. */
  occurrence: Occurrence | null;
  /** Its nodes are marked (`NodeState.reserved`). */
  isOpen: boolean;
  /** Nodes that the scheduler chose, in name order; null: the spec says which. */
  chosen: readonly NodeName[] | null;
  readonly ledger: ReservationLedger;
}

/** What it reserved and nobody used. */
export interface ReservationLedger {
  /** Milli-GPU-milliseconds. */
  amount: bigint;
  /** Thousandths of free GPUs that it reserves now. Index. */
  milli: number;
  /** Up to when its time is in the amount. */
  settledAtMs: number;
}
