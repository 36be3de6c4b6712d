import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { Room } from '../capacity/room.ts';
import type { Topology } from '../capacity/topology.ts';
import { domainAbove } from '../capacity/topology.ts';
import { chooseGpus } from './chooseGpus.ts';
import { withEmptyDomains } from './exclusive.ts';
import { chooseChildren } from './fill.ts';
import { holdsOf, unitsOf } from './findPlacement.ts';
import type { DomainAt } from './findPlacement.ts';
import type { GangRequest, Spot, WorkerGroup } from './gangRequest.ts';
import type { Units } from './units.ts';

/** Where a worker stood before; sound: its node takes work, and its very GPUs are healthy and free. */
export interface OldSpot {
  readonly spot: Spot;
  readonly isSound: boolean;
}

export interface Swap {
  /** In worker order. */
  readonly spots: readonly Spot[];
  /** Workers whose place was sound and who move all the same, since what is left of their segment finds no room where it is. */
  readonly moved: number;
  /** Of the deepest domain that holds the gang now. */
  readonly depth: number;
}

/**
 * Replaces the broken workers of a gang so that everybody else keeps node, GPUs and rank.
 *
 * Intuition: the places of the gang are free again and nobody else stands there, so whether the gang fits into a domain is
 * the count that there is for any gang (units.ts). It then only remains to give each domain back as many of its own
 * segments as it can hold: a domain that held n segments and has room for c of them keeps min(n, c), those with the most
 * sound workers, and the others go, whole, to where there is room inside the next wider domain. So a broken worker is
 * replaced inside its segment's domain if that has room; else its segment moves, inside the segment around it; else that
 * one; and so on. As segments of one level are equal in size, moving a sound one never helps more than moving a broken one.
 *
 * Which way: of the domains around sound workers, from the tightest to the widest that `requiredDepth` allows, the first in
 * which the fewest of them move. Inside it a replacement stands by preference where the one that it replaces
 * stood, then where others of the gang are, then where fewest domains are touched.
 *
 * null: the gang does not fit around them, or nobody is sound. That it moves the fewest is compared with all ways there are on small
 * clusters (swapWorkers.test.ts); where two levels of segments nest and both are broken, it is the choice of a greedy rule.
 */
export function swapWorkers(room: Room, asked: GangRequest, old: readonly (OldSpot | null)[]): Swap | null {
  const [group] = asked.groups;
  if (asked.groups.length !== 1 || group === undefined || old.length !== group.workers) return null;
  const request = withEmptyDomains(room.capacity, asked);
  const spots = old.map((one) => (one === null ? null : { ...one, isSound: one.isSound && request.allowed?.mask[one.spot.node] !== 0 }));
  const sound = spots.flatMap((one) => (one?.isSound === true ? [one.spot] : []));
  if (sound.length === 0) return null;
  const { topology } = room.capacity;
  const units = unitsOf(room, request, group);
  const seats = { topology, units, old: spots, keepable: countKeepable(topology, units, spots) };
  let best: Seating | null = null;
  for (let depth = topology.depth; depth >= request.requiredDepth && best?.moved !== 0; depth -= 1) {
    for (const domain of domainsOf(topology, sound, depth)) {
      if ((units.counts[domain] ?? 0) < group.workers / (units.size[depth] ?? 1)) continue;
      const seating = new Seats(seats).fill({ domain, depth }, group.workers);
      if (best === null || seating.moved < best.moved) best = seating;
    }
  }
  return best === null ? null : { moved: best.moved, ...giveGpus(room, group, best.nodes, spots) };
}

interface Seating {
  /** By worker. */
  readonly nodes: Int32Array;
  readonly moved: number;
}

/** Consecutive workers that stay together at some depth: the first of them; how many is the unit's size there. */
type Unit = number;

/** One way to seat the gang inside one domain. */
class Seats {
  readonly #topology: Topology;
  readonly #units: Units;
  readonly #old: readonly (OldSpot | null)[];
  readonly #keepable: readonly Int32Array[];
  readonly #nodes: Int32Array;

  constructor(parts: {
    readonly topology: Topology;
    readonly units: Units;
    readonly old: readonly (OldSpot | null)[];
    readonly keepable: readonly Int32Array[];
  }) {
    this.#topology = parts.topology;
    this.#units = parts.units;
    this.#old = parts.old;
    this.#keepable = parts.keepable;
    this.#nodes = new Int32Array(parts.old.length);
  }

  fill(anchor: DomainAt, workers: number): Seating {
    const size = this.#sizeAt(anchor.depth);
    this.#seat(
      anchor,
      Array.from({ length: workers / size }, (_, at) => at * size),
    );
    let moved = 0;
    for (const [worker, one] of this.#old.entries()) if (one?.isSound === true && one.spot.node !== this.#nodes[worker]) moved += 1;
    return { nodes: this.#nodes, moved };
  }

  #sizeAt(depth: number): number {
    return this.#units.size[depth] ?? 1;
  }

  /** The domain holds all these units; divides them over its children. */
  #seat(at: DomainAt, units: readonly Unit[]): void {
    const size = this.#sizeAt(at.depth);
    const { depth, firstChild, endChild, levelStart } = this.#topology;
    if (at.depth === depth) {
      const node = at.domain - (levelStart[depth] ?? 0);
      for (const unit of units) this.#nodes.fill(node, unit, unit + size);
      return;
    }
    const inner = this.#sizeAt(at.depth + 1);
    const parts = units.flatMap((unit) => Array.from({ length: size / inner }, (_, part) => unit + part * inner));
    const [first, end] = [firstChild[at.domain] ?? 0, endChild[at.domain] ?? 0];
    const given = this.#divide({ first, end, depth: at.depth + 1 }, parts, inner);
    for (const [child, those] of given) this.#seat({ domain: child, depth: at.depth + 1 }, those);
  }

  #divide(
    children: { readonly first: number; readonly end: number; readonly depth: number },
    units: readonly Unit[],
    size: number,
  ): ReadonlyMap<number, readonly Unit[]> {
    const left = this.#units.counts.slice(children.first, children.end);
    const given = new Map<number, Unit[]>();
    const give = (child: number, unit: Unit): boolean => {
      const room = left[child - children.first] ?? 0;
      if (room === 0) return false;
      left[child - children.first] = room - 1;
      const known = given.get(child);
      if (known === undefined) given.set(child, [unit]);
      else known.push(unit);
      return true;
    };
    const [atHome, lost] = this.#homesOf(children, units, size);
    const homeless: Unit[] = [];
    for (const { unit, child } of atHome) if (!give(child, unit)) homeless.push(unit);
    for (const { unit, child } of lost) if (child < 0 || !give(child, unit)) homeless.push(unit);
    homeless.sort((one, other) => one - other);
    for (const isUsed of [true, false]) {
      const open = left.map((room, at) => (given.has(children.first + at) === isUsed ? room : 0));
      const most = open.reduce((sum, room) => sum + room, 0);
      const next = homeless.splice(0, Math.min(most, homeless.length));
      for (const part of chooseChildren(open, 0, open.length, next.length))
        for (const unit of next.splice(0, part.units)) give(children.first + part.domain, unit);
    }
    for (const those of given.values()) those.sort((one, other) => one - other);
    return given;
  }

  /** Units with sound workers, those with most of them first, and units without; each with the child where it was, -1: in none of these. */
  #homesOf(
    { first, end, depth }: { readonly first: number; readonly end: number; readonly depth: number },
    units: readonly Unit[],
    size: number,
  ): readonly [readonly Home[], readonly Home[]] {
    const [atHome, lost]: [Home[], Home[]] = [[], []];
    const keepable = this.#keepable[depth];
    for (const unit of units) {
      const home = homeOf(this.#topology, this.#old, { unit, size }, depth);
      const child = home.domain < first || home.domain >= end ? -1 : home.domain;
      if (child < 0 || home.sound === 0) lost.push({ ...home, unit, child, keepable: 0 });
      else atHome.push({ ...home, unit, child, keepable: keepable?.[unit / size] ?? 0 });
    }
    atHome.sort((one, other) => other.keepable - one.keepable || other.sound - one.sound || one.unit - other.unit);
    return [atHome, lost];
  }
}

interface Home {
  readonly unit: Unit;
  /** A domain. */
  readonly child: number;
  readonly sound: number;
  readonly keepable: number;
}

/** The domain of a depth in which the unit's sound workers are, and how many they are; of a unit without, where it stood; -1: nobody knows. */
function homeOf(
  topology: Topology,
  old: readonly (OldSpot | null)[],
  { unit, size }: { readonly unit: Unit; readonly size: number },
  depth: number,
): { readonly domain: number; readonly sound: number } {
  let [sound, domain] = [0, -1];
  for (let worker = unit; worker < unit + size; worker += 1) {
    const one = old[worker];
    if (one === null || one === undefined || (sound > 0 && !one.isSound)) continue;
    const here = domainAbove(topology, one.spot.node, depth);
    if (one.isSound && (sound === 0 || here === domain)) sound += 1;
    if (domain < 0 || (one.isSound && sound === 1)) domain = here;
  }
  return { domain, sound };
}

/**
 * By depth and unit: how many of the unit's sound workers can keep their place when each domain gives back as many of its own
 * units as it has room for, the ones that keep most first. From the nodes up: a unit that a node cannot hold keeps nobody.
 */
function countKeepable(topology: Topology, { counts, size }: Units, old: readonly (OldSpot | null)[]): readonly Int32Array[] {
  const tables: Int32Array[] = [];
  for (let depth = topology.depth; depth >= 0; depth -= 1) {
    const [unitSize, innerSize] = [size[depth] ?? 1, size[depth + 1] ?? 1];
    const table = new Int32Array(old.length / unitSize);
    const homes = new Map<number, number[]>();
    const inner = tables[depth + 1];
    for (const at of table.keys()) {
      const { domain, sound } = homeOf(topology, old, { unit: at * unitSize, size: unitSize }, depth);
      if (sound === 0) continue;
      let most = inner === undefined ? sound : 0;
      for (let part = 0; inner !== undefined && part < unitSize / innerSize; part += 1)
        most += inner[(at * unitSize) / innerSize + part] ?? 0;
      table[at] = most;
      const known = homes.get(domain);
      if (known === undefined) homes.set(domain, [at]);
      else known.push(at);
    }
    for (const [domain, those] of homes) {
      those.sort((one, other) => (table[other] ?? 0) - (table[one] ?? 0) || one - other);
      for (const at of those.slice(counts[domain] ?? 0)) table[at] = 0;
    }
    tables[depth] = table;
  }
  return tables;
}

/** Who stays keeps its GPUs; the others get theirs from what is left of their nodes. */
function giveGpus(room: Room, { shape }: WorkerGroup, nodes: Int32Array, old: readonly (OldSpot | null)[]): Pick<Swap, 'spots' | 'depth'> {
  const { capacity } = room;
  const spots: (Spot | undefined)[] = [];
  const newcomers = new Map<number, number[]>();
  for (const [worker, node] of nodes.entries()) {
    const one = old[worker];
    if (one?.isSound === true && one.spot.node === node) spots[worker] = one.spot;
    else newcomers.set(node, [...(newcomers.get(node) ?? []), worker]);
  }
  const mark = capacity.mark();
  const model = shape.model === null ? -1 : capacity.modelNumber(shape.model);
  for (const [worker, spot] of spots.entries()) {
    // Whole GPUs are nobody else's, so only a node that gets somebody new has to show what is kept of it.
    if (spot === undefined || (shape.gpuMilli === gpuMilliPerGpu && !newcomers.has(spot.node))) continue;
    // Two parts of one GPU may each be free, and not both.
    if (spot.gpus.some((gpu) => capacity.freeMilli(spot.node, gpu, model) < shape.gpuMilli)) {
      spots[worker] = undefined;
      newcomers.set(spot.node, [...(newcomers.get(spot.node) ?? []), worker]);
    } else for (const hold of holdsOf(null, shape, [spot])) capacity.take(hold);
  }
  for (const [node, workers] of newcomers) {
    const chosen = chooseGpus(capacity, node, shape, workers.length);
    for (const [at, worker] of workers.entries()) spots[worker] = { node, gpus: chosen[at] ?? [] };
  }
  capacity.rollback(mark);
  const all = spots.flatMap((spot) => spot ?? []);
  return { spots: all, depth: commonDepth(capacity.topology, all) };
}

/** Depth of the deepest domain that holds all the spots. */
function commonDepth(topology: Topology, spots: readonly Spot[]): number {
  let depth = topology.depth;
  while (depth > 0 && domainsOf(topology, spots, depth).length > 1) depth -= 1;
  return depth;
}

/** Of a depth, those that hold one of the spots, in order. */
function domainsOf(topology: Topology, spots: readonly Spot[], depth: number): readonly number[] {
  return [...new Set(spots.map((spot) => domainAbove(topology, spot.node, depth)))].sort((one, other) => one - other);
}
