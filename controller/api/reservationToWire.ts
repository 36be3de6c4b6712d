import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { reservationSpecToWire } from '#codec/reservation.ts';
import type { Policy } from '#core/context.ts';
import { readUnused } from '#core/ledger/readLedger.ts';
import { calendarOf, occurrencesFrom } from '#core/reservations/calendar.ts';
import { fateOf } from '#core/reservations/mayRun.ts';
import { nodesOf } from '#core/reservations/reservedNodes.ts';
import type { NodeView, ReservationView, StateView } from '#core/state/view.ts';
import type { ReservationSchema } from '#gen/shoal/v1/reservation_pb.js';
import type { JobUid } from '#vocabulary/ids.ts';

type ReservationInit = MessageInitShape<typeof ReservationSchema>;
type StatusInit = NonNullable<ReservationInit['status']>;

/** Where it is read from. */
interface Sight {
  readonly state: StateView;
  readonly nowMs: number;
  readonly policy: Policy;
}

/** Occurrences that are told after the one that is under way or next. */
const upcomingMax = 3;

export function reservationToWire(sight: Sight, reservation: ReservationView): ReservationInit {
  const { state, nowMs, policy } = sight;
  const { name, spec, labels, by, occurrence, isOpen, changedAt, createdAtMs } = reservation;
  const names = nodesOf(state, policy.levels, reservation);
  const nodes = names.flatMap((node) => state.nodes.get(node) ?? []);
  return {
    apiVersion: 'shoal.dev/v1',
    kind: 'Reservation',
    metadata: {
      name,
      uid: name,
      labels: { ...labels },
      resourceVersion: BigInt(changedAt),
      creationTimestamp: timestampFromMs(createdAtMs),
    },
    spec: reservationSpecToWire(spec),
    status: {
      state: occurrence === null ? 'Over' : isOpen ? 'Active' : 'Planned',
      ...timesToWire(reservation),
      nodes: [...names],
      gpus: nodes.reduce((sum, node) => sum + node.inventory.gpus.length, 0),
      gpusUsed: nodes.reduce((sum, node) => sum + node.holds.filter((holds) => holds.length > 0).length, 0),
      jobs: jobsToWire(sight, reservation, nodes),
      unused: String(readUnused(state, reservation, nowMs)),
      createdBy: by,
    },
  };
}

function timesToWire(reservation: ReservationView): Pick<StatusInit, 'start' | 'end' | 'upcoming'> {
  const { occurrence } = reservation;
  if (occurrence === null) return {};
  const { startMs, endMs } = occurrence;
  const later = occurrencesFrom(calendarOf(reservation), endMs, Infinity, upcomingMax);
  return { start: timestampFromMs(startMs), end: timestampFromMs(endMs), upcoming: later.map((one) => timestampFromMs(one.startMs)) };
}

function jobsToWire({ state, policy }: Sight, { spec, occurrence }: ReservationView, nodes: readonly NodeView[]) {
  if (occurrence === null) return [];
  const uids = new Set<JobUid>(nodes.flatMap((node) => [...node.jobs]));
  const jobs = [...uids].flatMap((uid) => state.jobs.get(uid) ?? []).sort((left, right) => (left.name < right.name ? -1 : 1));
  return jobs.map((job) => {
    const fate = fateOf(state, { spec, occurrence }, job, policy);
    return { job: job.name, user: job.user, fate: fate.kind, ...('atMs' in fate ? { at: timestampFromMs(Math.max(0, fate.atMs)) } : {}) };
  });
}
