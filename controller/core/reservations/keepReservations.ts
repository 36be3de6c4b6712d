import type { JobUid, NodeName, ReservationName } from '#vocabulary/ids.ts';
import type { Occurrence } from '#vocabulary/reservation.ts';
import { formatTimestamp } from '#vocabulary/timestamp.ts';
import { askToLeave } from '../jobs/stop.ts';
import type { ReservationView, StateView } from '../state/view.ts';
import type { Turn } from '../turn.ts';
import { calendarOf, occurrenceAfter } from './calendar.ts';
import { replaceBroken } from './chooseNodes.ts';
import { fateOf } from './mayRun.ts';
import { nodesOf } from './reservedNodes.ts';

/**
 * Lets reservations begin and end, and asks who may not be there to leave in time: so that its grace and what stopping
 * takes are over at the start. Whoever is placed is placed so that it need not be asked, or wants to be (mayRun.ts); this is
 * for those who ran before, and for those who may be asked.
 *
 * To be called before and after each pass. Answers when the next of these is due; null: there is none. Costs nothing for a
 * reservation of which no node changed since, until that time.
 */
export function keepReservations(turn: Turn): number | null {
  if (turn.state.reservations.size === 0) return null;
  let soonestMs = Infinity;
  for (const name of [...turn.state.reservations.keys()].sort()) {
    advance(turn, name);
    const reservation = turn.state.reservations.get(name);
    if (reservation !== undefined) soonestMs = Math.min(soonestMs, keepNodes(turn, reservation));
  }
  forgetOld(turn);
  return soonestMs === Infinity ? null : soonestMs;
}

/** An occurrence that is over gives way to the next one, also one that a controller that was away has missed. */
function advance(turn: Turn, name: ReservationName): void {
  const reservation = turn.state.reservations.get(name);
  const { nowMs } = turn.context;
  if (reservation?.occurrence === undefined || reservation.occurrence === null || nowMs < reservation.occurrence.endMs) return;
  turn.emit({ kind: 'ReservationClosed', name, next: occurrenceAfter(calendarOf(reservation), nowMs) });
}

/** What was seen of a reservation's nodes, so that only those are looked at that changed. Follows from the state alone. */
interface Seen {
  readonly changedAt: number;
  readonly topologyAt: number;
  readonly members: ReadonlySet<NodeName>;
  /** Position in State.changedNodes. */
  asOf: number;
  /** Nobody there is due before it. */
  quietUntilMs: number;
}

const seenOf = new WeakMap<StateView, Map<ReservationName, Seen>>();

/** When something is due next; Infinity: nothing. */
function keepNodes(turn: Turn, reservation: ReservationView): number {
  const { occurrence } = reservation;
  if (occurrence === null) return Infinity;
  const { nowMs } = turn.context;
  const isDue = !reservation.isOpen && nowMs >= occurrence.startMs;
  const { seen, nodes } = look(turn, reservation, isDue);
  if (nodes.length > 0 || isDue) {
    const { chosen } = reservation;
    if (!reservation.isOpen) replaceBroken(turn, reservation, nodes);
    // Who stands on a node that was given up just now is left alone.
    const members = isDue || reservation.chosen !== chosen ? membersOf(turn, reservation) : nodes;
    if (nowMs >= occurrence.startMs) open(turn, reservation, members);
    seen.quietUntilMs = Math.min(seen.quietUntilMs, askAll(turn, reservation, occurrence, members));
  }
  return Math.min(seen.quietUntilMs, reservation.isOpen ? occurrence.endMs : Math.max(nowMs + 1, occurrence.startMs));
}

const membersOf = (turn: Turn, reservation: ReservationView): readonly NodeName[] =>
  nodesOf(turn.state, turn.context.policy.levels, reservation);

/** The nodes that are to be looked at now: all when something is due or the reservation is another one, else those that changed. */
function look(turn: Turn, reservation: ReservationView, isDue: boolean): { readonly seen: Seen; readonly nodes: readonly NodeName[] } {
  const { state, context } = turn;
  const known = seenOf.get(state) ?? new Map<ReservationName, Seen>();
  seenOf.set(state, known);
  const before = known.get(reservation.name);
  const { changedAt, name } = reservation;
  const isSame = before !== undefined && before.changedAt === changedAt && before.topologyAt === state.topologyAt;
  const changed = isSame && !isDue && context.nowMs < before.quietUntilMs ? state.changedNodes.since(before.asOf) : null;
  if (before !== undefined && changed !== null) {
    before.asOf = state.changedNodes.end;
    return {
      seen: before,
      nodes: changed.length === 0 ? changed : [...new Set(changed)].filter((node) => before.members.has(node)).sort(),
    };
  }
  const nodes = membersOf(turn, reservation);
  const members = isSame ? before.members : new Set(nodes);
  const seen = { changedAt, topologyAt: state.topologyAt, members, asOf: state.changedNodes.end, quietUntilMs: Infinity };
  known.set(name, seen);
  return { seen, nodes };
}

/** A node that another reservation has still is taken over when that one ends. */
function open(turn: Turn, { name, isOpen }: ReservationView, nodes: readonly NodeName[]): void {
  const free = nodes.filter((node) => turn.state.nodes.get(node)?.reserved === null);
  if (!isOpen || free.length > 0) turn.emit({ kind: 'ReservationOpened', name, nodes: free });
}

/** Asks those who are due. When somebody on these nodes is due next; Infinity: nobody. */
function askAll(turn: Turn, reservation: ReservationView, occurrence: Occurrence, nodes: readonly NodeName[]): number {
  const { state, context } = turn;
  const jobs = new Set<JobUid>();
  for (const name of nodes) for (const uid of state.nodes.get(name)?.jobs ?? []) jobs.add(uid);
  let soonestMs = Infinity;
  for (const uid of [...jobs].sort()) {
    const job = state.jobs.get(uid);
    if (job === undefined) continue;
    const fate = fateOf(state, { spec: reservation.spec, occurrence }, job, context.policy);
    // Who leaves for another job may be told to stay.
    if (fate.kind === 'Leaving') soonestMs = Math.min(soonestMs, context.nowMs + lookAgainMs);
    if (fate.kind !== 'ToLeave') continue;
    if (fate.atMs > context.nowMs) soonestMs = Math.min(soonestMs, fate.atMs);
    else askToLeave(turn, job, 'Drained', `reservation ${reservation.name} begins ${formatTimestamp(occurrence.startMs)}`);
  }
  return soonestMs;
}

const lookAgainMs = 1_000;

/** Reservations that are over and are kept for people to see. */
const overMax = 32;

function forgetOld(turn: Turn): void {
  const seen = seenOf.get(turn.state);
  for (const name of seen?.keys() ?? []) if (!turn.state.reservations.has(name)) seen?.delete(name);
  const over = [...turn.state.reservations.values()].filter(({ occurrence }) => occurrence === null);
  if (over.length <= overMax) return;
  over.sort((left, right) => left.changedAt - right.changedAt || (left.name < right.name ? -1 : 1));
  for (const { name } of over.slice(0, over.length - overMax)) turn.emit({ kind: 'ReservationRemoved', name, by: null });
}
