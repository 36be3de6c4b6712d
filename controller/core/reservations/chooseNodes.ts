import type { JobUid, NodeName } from '#vocabulary/ids.ts';
import { milliPerGpu } from '#vocabulary/job.ts';
import type { NodeCount } from '#vocabulary/reservation.ts';
import { modelsPresent } from '../jobs/emptyRoom.ts';
import type { SpecProblem } from '../jobs/specProblem.ts';
import { currentAttempt } from '../state/state.ts';
import type { NodeView, ReservationView } from '../state/view.ts';
import { suggest } from '../suggest.ts';
import type { Turn } from '../turn.ts';
import { calendarOf } from './calendar.ts';
import type { Kept } from './mayRun.ts';
import { fateOf } from './mayRun.ts';
import { takenNodes } from './overlaps.ts';
import { domainPath } from './reservedNodes.ts';

/** What may be chosen of. */
export interface Choice {
  readonly kept: Kept;
  /** Nodes that other reservations have at the same time. */
  readonly taken: ReadonlySet<NodeName>;
  /** Nodes that it has already: they cost nothing. */
  readonly had: readonly NodeName[];
}

export type Chosen = { readonly ok: true; readonly names: readonly NodeName[] } | { readonly ok: false; readonly problem: SpecProblem };

/**
 * Sound nodes on which the least is stopped for the reservation: GPUs held by jobs that would have to leave count, and whoever is
 * gone by then does not. All inside one domain, where a level is asked for: the one where it costs least. Ties go to the
 * first in path order.
 */
export function chooseNodes(turn: Turn, count: NodeCount, choice: Choice): Chosen {
  const { levels } = turn.context.policy;
  const wrong = judgeCount(turn, count);
  if (wrong !== null) return { ok: false, problem: wrong };
  const model = count.model ?? modelsPresent(turn.state)[0] ?? '';
  const candidates = [...turn.state.nodes.values()]
    .filter((node) => isSound(node) && !choice.taken.has(node.name) && gpusOf(node, model) > 0)
    .map((node) => ({ node, cost: choice.had.includes(node.name) ? -1 : costOf(turn, node, choice.kept) }));
  const depth = count.level === null ? 0 : levels.indexOf(count.level) + 1;
  const domains = Map.groupBy(candidates, ({ node }) => domainPath(node, depth).join('/'));
  let best: { readonly names: readonly NodeName[]; readonly cost: number } | null = null;
  let most = 0;
  for (const domain of [...domains.keys()].sort()) {
    const found = cheapest(domains.get(domain) ?? [], count, model);
    most = Math.max(most, found.room);
    if (found.room >= count.amount && (best === null || found.cost < best.cost)) best = found;
  }
  if (best !== null) return { ok: true, names: [...best.names].sort() };
  const where = count.level === null ? 'there are' : `the best ${count.level} has`;
  const message = `${count.amount} ${count.of} of ${model} wanted${count.level === null ? '' : ` inside one ${count.level}`}; ${where} ${most} on nodes that take work and are in no other reservation at the time`;
  return { ok: false, problem: { field: `spec.nodes.count.${count.of}`, message } };
}

function judgeCount(turn: Turn, { model, level }: NodeCount): SpecProblem | null {
  const models = modelsPresent(turn.state);
  const { levels } = turn.context.policy;
  if (level !== null && !levels.includes(level))
    return {
      field: 'spec.nodes.count.level',
      message: `level "${level}" is not one of this cluster's: ${levels.join(', ')}${suggest(level, levels)}`,
    };
  const have = models.length === 0 ? 'the cluster has no GPUs' : `the cluster has ${models.join(', ')}`;
  if (model === null && models.length !== 1) return { field: 'spec.nodes.count.gpuModel', message: `required, but not given: ${have}` };
  if (model !== null && !models.includes(model))
    return { field: 'spec.nodes.count.gpuModel', message: `no node has GPUs of model "${model}"; ${have}${suggest(model, models)}` };
  return null;
}

interface Candidate {
  readonly node: NodeView;
  readonly cost: number;
}

/** As many as are needed, or all. `room`: nodes or GPUs. */
function cheapest(candidates: readonly Candidate[], { of, amount }: NodeCount, model: string) {
  const inPathOrder = (left: NodeView, right: NodeView): number => (placeOf(left) < placeOf(right) ? -1 : 1);
  const sorted = candidates.toSorted((left, right) => left.cost - right.cost || inPathOrder(left.node, right.node));
  const names: NodeName[] = [];
  let [room, cost] = [0, 0];
  for (const candidate of sorted) {
    if (room >= amount) break;
    names.push(candidate.node.name);
    room += of === 'nodes' ? 1 : gpusOf(candidate.node, model);
    cost += candidate.cost;
  }
  return { names, room, cost };
}

const placeOf = (node: NodeView): string => [...node.inventory.path, node.name].join('/');

const isSound = (node: NodeView): boolean => node.availability.kind === 'ready' && node.cordon === null;

/** Healthy ones. */
const gpusOf = (node: NodeView, model: string): number =>
  node.inventory.gpus.filter((gpu) => gpu.model === model && node.health[gpu.index]?.healthy === true).length;

/** Milli-GPU that would have to be given up. */
function costOf(turn: Turn, node: NodeView, kept: Kept): number {
  let cost = 0;
  for (const uid of node.jobs) if (mustLeave(turn, uid, kept)) cost += heldBy(turn, uid, node);
  return cost;
}

function mustLeave({ state, context }: Turn, uid: JobUid, kept: Kept): boolean {
  const job = state.jobs.get(uid);
  const fate = job === undefined ? null : fateOf(state, kept, job, context.policy);
  return fate?.kind === 'ToLeave' || fate?.kind === 'Leaving';
}

function heldBy({ state }: Turn, uid: JobUid, { name }: NodeView): number {
  const job = state.jobs.get(uid);
  const placement = (job === undefined ? undefined : currentAttempt(job))?.placement ?? [];
  const gpus = placement.reduce((sum, place) => sum + (place.node === name ? place.gpus.length : 0), 0);
  return job === undefined ? 0 : gpus * milliPerGpu(job.spec);
}

/**
 * Before it begins, nodes that were chosen and take no work any more are given up for others, inside the domain that the
 * level wants. Maintenance keeps them: a broken node is mended, too. Looked at when one of `nodes` changed.
 */
export function replaceBroken(turn: Turn, reservation: ReservationView, nodes: readonly NodeName[]): void {
  const { spec, chosen, occurrence, name } = reservation;
  if (chosen === null || occurrence === null || spec.nodes.kind !== 'count' || spec.purpose === 'maintenance') return;
  const broken = (one: NodeName): boolean => {
    const node = turn.state.nodes.get(one);
    return node === undefined || !isSound(node);
  };
  if (!nodes.some(broken)) return;
  const taken = takenNodes(turn, name, calendarOf(reservation));
  const found = chooseNodes(turn, spec.nodes, { kept: { spec, occurrence }, taken, had: chosen });
  if (!found.ok || found.names.join() === chosen.join()) return;
  const gone = chosen.filter((one) => !found.names.includes(one));
  const message = `${gone.join(', ')} take no work; ${found.names.filter((one) => !chosen.includes(one)).join(', ')} instead`;
  turn.emit({ kind: 'ReservationNodesChosen', name, chosen: found.names, message });
}
