import type { Room } from '../capacity/room.ts';
import { slotsOn } from '../capacity/shape.ts';
import { domainsInside } from '../capacity/topology.ts';
import type { DomainAt } from '../gang/findPlacement.ts';
import { fitsInside, unitsOf } from '../gang/findPlacement.ts';
import type { GangRequest, WorkerGroup } from '../gang/gangRequest.ts';
import { BestFirst } from './bestFirst.ts';
import type { Entitlement, Evictable } from './evictable.ts';
import { cheapestFirst, priorityLost } from './evictable.ts';

/**
 * Takes victims out of a domain until the gang fits into it; null when it does not even without all of them. The next
 * unit of room is always the one whose victims cost least: a worker's place on one node, or a whole segment's inside one
 * domain of its level. What a job costs is counted once, however many units its leaving makes.
 */
export function freeDomain(
  room: Room,
  request: GangRequest,
  scope: { readonly evictable: readonly Evictable[]; readonly entitlement: Entitlement; readonly domain: DomainAt },
): readonly Evictable[] | null {
  const leaving = new Set<Evictable>();
  const byNode = evictableByNode(scope.evictable);
  // Room is not what an exclusive gang lacks first: everybody near leaves, and those who need not are given back later.
  for (const group of request.exclusiveDepth === null ? request.groups : []) {
    const search = new UnitSearch(room, { request, group, byNode, leaving, ...scope });
    while (!fitsInside(room, { ...request, groups: [group] }, scope.domain)) {
      const next = search.cheapest();
      if (next === null) return giveUp(leaving, scope.entitlement);
      search.evict(next);
    }
  }
  // Groups that fit one by one need not fit together: then nearly everybody has to leave, and most are given back later.
  for (const each of [...scope.evictable].sort(cheapestFirst)) {
    if (fitsInside(room, request, scope.domain)) break;
    if (leaving.has(each) || !scope.entitlement.give(each)) continue;
    for (const hold of each.holds) room.capacity.give(hold);
    leaving.add(each);
  }
  return fitsInside(room, request, scope.domain) ? [...leaving] : giveUp(leaving, scope.entitlement);
}

function giveUp(leaving: ReadonlySet<Evictable>, entitlement: Entitlement): null {
  for (const each of leaving) entitlement.takeBack(each);
  return null;
}

/** Cheapest first on each node. */
function evictableByNode(evictable: readonly Evictable[]): ReadonlyMap<number, readonly Evictable[]> {
  const byNode = new Map<number, Evictable[]>();
  for (const each of evictable) {
    for (const node of new Set(each.holds.map((hold) => hold.node))) {
      const here = byNode.get(node);
      if (here === undefined) byNode.set(node, [each]);
      else here.push(each);
    }
  }
  for (const here of byNode.values()) here.sort(cheapestFirst);
  return byNode;
}

interface Offer {
  /** A node, or the domain of the innermost segment's level. */
  readonly domain: number;
  readonly victims: readonly Evictable[];
  readonly priority: number;
  readonly costPerUnit: number;
}

interface Search {
  readonly request: GangRequest;
  readonly group: WorkerGroup;
  readonly byNode: ReadonlyMap<number, readonly Evictable[]>;
  readonly entitlement: Entitlement;
  readonly domain: DomainAt;
  /** Everybody who leaves so far, for the groups before too; the search adds to it. */
  readonly leaving: Set<Evictable>;
}

/** Offers of the domains that can give one more unit, kept until somebody who stands there leaves. */
class UnitSearch {
  readonly #room: Room;
  readonly #search: Search;
  readonly #unitDepth: number;
  /** The offer of each domain as it is now. */
  readonly #offers = new Map<number, Offer | null>();
  /** Those and some that were forgotten since. */
  readonly #byCost = new BestFirst<Offer>(isBetter);
  /** Domains whose offer has to be made anew. */
  readonly #unknown = new Set<number>();
  /** May not leave in addition to those who do. */
  readonly #refused = new Set<Evictable>();

  constructor(room: Room, search: Search) {
    this.#room = room;
    this.#search = search;
    const { topology } = room.capacity;
    this.#unitDepth = Math.max(search.domain.depth, search.group.segments.at(-1)?.depth ?? topology.depth);
    const [first, end] = domainsInside(topology, search.domain, this.#unitDepth);
    for (let domain = first; domain < end; domain += 1) this.#unknown.add(domain);
  }

  cheapest(): Offer | null {
    for (const domain of this.#unknown) {
      const offer = this.#offerOf(domain);
      this.#offers.set(domain, offer);
      if (offer !== null) this.#byCost.add(offer);
    }
    this.#unknown.clear();
    for (let best = this.#byCost.best(); best !== undefined; best = this.#byCost.best()) {
      if (this.#offers.get(best.domain) === best) return best;
      this.#byCost.removeBest();
    }
    return null;
  }

  /** All of the offer leave, but for those who, as it turns out, may not. */
  evict(offer: Offer): void {
    for (const each of offer.victims) {
      if (!this.#search.entitlement.give(each)) {
        this.#refused.add(each);
        this.#forgetOffers(each);
        continue;
      }
      for (const hold of each.holds) this.#room.capacity.give(hold);
      this.#search.leaving.add(each);
      this.#forgetOffers(each);
    }
  }

  #forgetOffers(job: Evictable): void {
    const { topology } = this.#room.capacity;
    for (const hold of job.holds) {
      let domain = (topology.levelStart[topology.depth] ?? 0) + hold.node;
      for (let depth = topology.depth; depth > this.#unitDepth; depth -= 1) domain = topology.parent[domain] ?? 0;
      // A victim may stand outside the domain that is freed as well.
      if (this.#offers.delete(domain)) this.#unknown.add(domain);
    }
  }

  #offerOf(domain: number): Offer | null {
    const { capacity } = this.#room;
    if (this.#unitDepth === capacity.topology.depth) return this.#offerOfNode(domain, new Set());
    const mark = capacity.mark();
    const offer = this.#offerOfSegment(domain);
    capacity.rollback(mark);
    return offer;
  }

  /** Cheapest first until one more worker fits. */
  #offerOfNode(domain: number, gone: ReadonlySet<Evictable>): Offer | null {
    const { capacity } = this.#room;
    const node = domain - (capacity.topology.levelStart[capacity.topology.depth] ?? 0);
    const { group, request } = this.#search;
    if (request.allowed !== null && request.allowed.mask[node] !== 1) return null;
    const mark = capacity.mark();
    const before = slotsOn(capacity, node, group.shape);
    const victims: Evictable[] = [];
    let gained = 0;
    for (const each of this.#search.byNode.get(node) ?? []) {
      if (this.#search.leaving.has(each) || this.#refused.has(each) || gone.has(each)) continue;
      for (const hold of each.holds) capacity.give(hold);
      victims.push(each);
      gained = slotsOn(capacity, node, group.shape) - before;
      if (gained > 0) break;
    }
    capacity.rollback(mark);
    return gained > 0 ? offerOf(domain, victims, gained) : null;
  }

  /** Worker by worker on the node where it costs least, until one more segment fits. */
  #offerOfSegment(domain: number): Offer | null {
    const { capacity } = this.#room;
    const { topology } = capacity;
    const { request, group } = this.#search;
    const unitsNow = (): number => unitsOf(this.#room, request, group).counts[domain] ?? 0;
    const before = unitsNow();
    const [first, end] = domainsInside(topology, { domain, depth: this.#unitDepth }, topology.depth);
    const gone = new Set<Evictable>();
    while (unitsNow() === before) {
      let best: Offer | null = null;
      for (let node = first; node < end; node += 1) {
        const offer = this.#offerOfNode(node, gone);
        if (offer !== null && (best === null || isBetter(offer, best))) best = offer;
      }
      if (best === null) return null;
      for (const each of best.victims) {
        for (const hold of each.holds) capacity.give(hold);
        gone.add(each);
      }
    }
    return offerOf(domain, [...gone], unitsNow() - before);
  }
}

function offerOf(domain: number, victims: readonly Evictable[], gained: number): Offer {
  const cost = victims.reduce((sum, each) => sum + each.cost, 0);
  const priority = Math.max(-1, ...victims.map(priorityLost));
  return { domain, victims, priority, costPerUnit: cost / gained };
}

const isBetter = (left: Offer, right: Offer): boolean =>
  left.priority !== right.priority
    ? left.priority < right.priority
    : left.costPerUnit !== right.costPerUnit
      ? left.costPerUnit < right.costPerUnit
      : left.victims.length !== right.victims.length
        ? left.victims.length < right.victims.length
        : left.domain < right.domain;
