import type { NodeName, ReservationName } from '#vocabulary/ids.ts';
import type { Occurrence, ReservationSpec } from '#vocabulary/reservation.ts';
import { formatTimestamp } from '#vocabulary/timestamp.ts';
import { formatDuration } from '#vocabulary/units.ts';
import type { SpecProblem } from '../jobs/specProblem.ts';
import type { ReservationView, StateView } from '../state/view.ts';
import { suggest } from '../suggest.ts';
import type { Turn } from '../turn.ts';
import type { Calendar } from './calendar.ts';
import { occurrenceAfter } from './calendar.ts';
import { chooseNodes } from './chooseNodes.ts';
import type { Meeting } from './overlaps.ts';
import { findSelfMeeting, meetingsOf } from './overlaps.ts';
import { domainPath, isInside, nodesOf, resolveNodes } from './reservedNodes.ts';

/** What only this cluster, at this time, can say of a reservation's spec. */
export type Verdict =
  | { readonly ok: true; readonly fromMs: number; readonly occurrence: Occurrence; readonly chosen: readonly NodeName[] | null }
  | { readonly ok: false; readonly problem: SpecProblem };

/** `old`: as it exists; a start that has not changed may have passed. */
export function judgeReservation(turn: Turn, name: ReservationName, spec: ReservationSpec, old: ReservationView | null): Verdict {
  const who = judgeWho(turn.state, spec);
  if (who !== null) return { ok: false, problem: who };
  const when = judgeTime(spec, old, turn.context.nowMs);
  if (!when.ok) return when;
  const { fromMs, occurrence } = when;
  const meetings = meetingsOf(turn, name, { fromMs, durationMs: spec.durationMs, repeat: spec.repeat });
  const where = judgeNodes(turn, spec, { old, occurrence, meetings });
  return where.ok ? { ok: true, fromMs, occurrence, chosen: where.chosen } : where;
}

function judgeWho(state: StateView, { queues, users }: ReservationSpec): SpecProblem | null {
  for (const [index, queue] of queues.entries()) {
    if (!state.queues.has(queue))
      return { field: `spec.queues[${index}]`, message: `queue "${queue}" does not exist${suggest(queue, state.queues.keys())}` };
  }
  const known = usersOf(state);
  for (const [index, user] of users.entries()) {
    if (known !== null && !known.has(user))
      return { field: `spec.users[${index}]`, message: `user "${user}" has no token and no job${suggest(user, known)}` };
  }
  return null;
}

/** Who can call, and whose jobs are there; null: nobody has a token (a simulation), so that nobody is unknown. */
function usersOf(state: StateView): ReadonlySet<string> | null {
  const users = new Set<string>();
  for (const token of state.tokens.values()) if (token.purpose === 'user') users.add(token.user);
  if (users.size === 0) return null;
  for (const job of state.jobs.values()) users.add(job.user);
  return users;
}

function judgeTime(
  spec: ReservationSpec,
  old: ReservationView | null,
  nowMs: number,
): { readonly ok: true; readonly fromMs: number; readonly occurrence: Occurrence } | { readonly ok: false; readonly problem: SpecProblem } {
  const { startMs, durationMs, repeat } = spec;
  const isOldStart = old !== null && old.spec.startMs === startMs && old.occurrence !== null;
  const fromMs = isOldStart ? old.fromMs : (startMs ?? nowMs);
  if (repeat === null && !isOldStart && fromMs < nowMs)
    return refuse('spec.start', `${formatTimestamp(fromMs)} is in the past: it is ${formatTimestamp(nowMs)}; leave it out to begin now`);
  const calendar: Calendar = { fromMs, durationMs, repeat };
  const occurrence = occurrenceAfter(calendar, nowMs);
  if (occurrence === null && repeat === null)
    return refuse(
      'spec.duration',
      `it would have been over at ${formatTimestamp(fromMs + durationMs)}; delete the reservation to end it now`,
    );
  if (occurrence === null) return refuse('spec.repeat', 'no occurrence of it is still to come');
  const twice = findSelfMeeting(calendar, nowMs);
  if (twice === null) return { ok: true, fromMs, occurrence };
  const [first, second] = twice;
  const message = `${formatDuration(durationMs)} is more than there is between two occurrences: ${formatTimestamp(first.startMs)} and ${formatTimestamp(second.startMs)}`;
  return refuse('spec.duration', message);
}

function judgeNodes(
  turn: Turn,
  spec: ReservationSpec,
  around: { readonly old: ReservationView | null; readonly occurrence: Occurrence; readonly meetings: readonly Meeting[] },
): { readonly ok: true; readonly chosen: readonly NodeName[] | null } | { readonly ok: false; readonly problem: SpecProblem } {
  const { state, context } = turn;
  const { levels } = context.policy;
  const { nodes } = spec;
  if (nodes.kind === 'count') {
    const taken = new Set(around.meetings.flatMap(({ other }) => nodesOf(state, levels, other)));
    const had = around.old?.chosen ?? [];
    const chosen = chooseNodes(turn, nodes, { kept: { spec, occurrence: around.occurrence }, taken, had });
    return chosen.ok ? { ok: true, chosen: chosen.names } : chosen;
  }
  const problem = judgeNames(turn, spec);
  if (problem !== null) return { ok: false, problem };
  const wanted = new Set(resolveNodes(state, levels, nodes));
  for (const { other, occurrence } of around.meetings) {
    const shared = nodesOf(state, levels, other).filter((node) => wanted.has(node));
    if (shared.length === 0) continue;
    const some = shared.length > 5 ? `${shared.slice(0, 5).join(', ')} and ${shared.length - 5} more` : shared.join(', ');
    const times = `from ${formatTimestamp(occurrence.startMs)} until ${formatTimestamp(occurrence.endMs)}`;
    return refuse(`spec.nodes.${nodes.kind}`, `reservation ${other.name} has ${some} at the same time, ${times}`);
  }
  return { ok: true, chosen: null };
}

/** Each name, domain and label must be one of the cluster's. */
function judgeNames({ state, context }: Turn, { nodes }: ReservationSpec): SpecProblem | null {
  const { levels } = context.policy;
  if (nodes.kind === 'names') {
    const index = nodes.names.findIndex((name) => !state.nodes.has(name));
    const name = nodes.names[index];
    if (name === undefined) return null;
    return { field: `spec.nodes.names[${index}]`, message: `node "${name}" does not exist${suggest(name, state.nodes.keys())}` };
  }
  if (nodes.kind === 'labels' && resolveNodes(state, levels, nodes).length === 0) {
    const wanted = Object.entries(nodes.labels).map(([key, value]) => `${key}=${value}`);
    return { field: 'spec.nodes.labels', message: `no node has ${wanted.join(' and ')}` };
  }
  for (const [index, domain] of nodes.kind === 'domains' ? nodes.domains.entries() : []) {
    const message = judgeDomain(state, levels, domain);
    if (message !== null) return { field: `spec.nodes.domains[${index}]`, message };
  }
  return null;
}

function judgeDomain(state: StateView, levels: readonly string[], domain: string): string | null {
  const [level = ''] = domain.split('/');
  if (!levels.includes(level)) return `level "${level}" is not one of this cluster's: ${levels.join(', ')}${suggest(level, levels)}`;
  const depth = levels.indexOf(level) + 1;
  const nodes = [...state.nodes.values()];
  const found = new Set(nodes.filter((node) => isInside(node, levels, domain)).map((node) => domainPath(node, depth).join('/')));
  if (found.size === 1) return null;
  if (found.size > 1)
    return `"${domain}" is more than one: ${[...found]
      .sort()
      .map((path) => `${level}/${path}`)
      .join(', ')}; name which`;
  const known = new Set(nodes.map((node) => `${level}/${domainPath(node, depth).at(-1) ?? ''}`));
  return `"${domain}" does not exist${suggest(domain, known)}`;
}

const refuse = (field: string, message: string) => ({ ok: false, problem: { field, message } }) as const;
