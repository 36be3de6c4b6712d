import type { NodeRoom, ShapeRequest } from './fragmentation.ts';
import { gpuChoices, roomAfter, sumIdle } from './fragmentation.ts';
import type { Outlook } from './leftover.ts';
import { leftoverMilli } from './leftover.ts';
import { shapeKey } from './popularShapes.ts';

/**
 * The best place for a single worker: where it adds least to the leftover (`leftover.ts`), then the node with the least
 * idle GPU, then with the least free CPU, then the first by name.
 *
 * Nodes with the same room are one group and are judged once for each shape. A cluster of equal nodes has as few groups
 * as there are ways to fill one node, so choosing costs far less than a look at every node; a node that changes only
 * moves to another group. Memory: groups x shapes asked, and a group goes when its last node leaves.
 */
export interface Choice {
  readonly node: string;
  /** Ascending GPU indices on that node; empty for a worker without GPUs. */
  readonly gpus: readonly number[];
}

interface Group {
  readonly room: NodeRoom;
  readonly leftoverMilli: number;
  /** Sorted. */
  readonly names: string[];
  /** By shape; null: does not fit. */
  readonly verdicts: Map<string, Verdict | null>;
}

interface Verdict {
  readonly addedMilli: number;
  readonly idleMilliAfter: number;
  readonly cpuMilliAfter: number;
  /** Of each GPU taken, the milli-GPU it has free: nodes of a group may have them at other indices. */
  readonly taken: readonly number[];
}

export class FragmentationIndex {
  #outlook: Outlook;
  readonly #rooms = new Map<string, NodeRoom>();
  readonly #groups = new Map<string, Group>();

  constructor(outlook: Outlook) {
    this.#outlook = outlook;
  }

  /** The node is new or its room changed. */
  set(node: string, room: NodeRoom): void {
    this.remove(node);
    this.#rooms.set(node, room);
    const key = roomKey(room);
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { room, leftoverMilli: leftoverMilli(room, this.#outlook), names: [], verdicts: new Map() };
      this.#groups.set(key, group);
    }
    group.names.splice(findAt(group.names, node), 0, node);
  }

  /** Nothing is placed there any more. A node that is not known is no mistake. */
  remove(node: string): void {
    const room = this.#rooms.get(node);
    if (room === undefined) return;
    this.#rooms.delete(node);
    const key = roomKey(room);
    const group = this.#groups.get(key);
    group?.names.splice(findAt(group.names, node), 1);
    if (group?.names.length === 0) this.#groups.delete(key);
  }

  /** Other requests have become popular: everything is judged anew. */
  setOutlook(outlook: Outlook): void {
    this.#outlook = outlook;
    for (const [key, group] of this.#groups) {
      this.#groups.set(key, { ...group, leftoverMilli: leftoverMilli(group.room, outlook), verdicts: new Map() });
    }
  }

  /** Null: it fits nowhere now. Takes nothing: the caller sets the node's new room. */
  choose(request: ShapeRequest): Choice | null {
    const key = shapeKey(request);
    let best: Group | null = null;
    let bestVerdict: Verdict | null = null;
    for (const group of this.#groups.values()) {
      const verdict = this.#judge(group, request, key);
      if (verdict === null) continue;
      if (best === null || bestVerdict === null || isBetter(verdict, group, bestVerdict, best)) {
        best = group;
        bestVerdict = verdict;
      }
    }
    const node = best?.names[0];
    return node === undefined || bestVerdict === null ? null : { node, gpus: this.#findGpus(node, bestVerdict) };
  }

  #judge(group: Group, request: ShapeRequest, key: string): Verdict | null {
    const known = group.verdicts.get(key);
    if (known !== undefined) return known;
    let best: Verdict | null = null;
    for (const gpus of gpuChoices(group.room, request)) {
      const after = roomAfter(group.room, request, gpus);
      const addedMilli = leftoverMilli(after, this.#outlook) - group.leftoverMilli;
      if (best !== null && best.addedMilli <= addedMilli) continue;
      const taken = gpus.map((index) => group.room.gpuMilliFree[index] ?? 0);
      best = { addedMilli, idleMilliAfter: sumIdle(after), cpuMilliAfter: after.cpuMilliFree, taken };
    }
    group.verdicts.set(key, best);
    return best;
  }

  #findGpus(node: string, verdict: Verdict): readonly number[] {
    const free = this.#rooms.get(node)?.gpuMilliFree ?? [];
    const found: number[] = [];
    for (const amount of verdict.taken) {
      const index = free.findIndex((left, at) => left === amount && !found.includes(at));
      found.push(index);
    }
    return found.sort((one, other) => one - other);
  }
}

function isBetter(verdict: Verdict, group: Group, best: Verdict, bestGroup: Group): boolean {
  if (verdict.addedMilli !== best.addedMilli) return verdict.addedMilli < best.addedMilli;
  if (verdict.idleMilliAfter !== best.idleMilliAfter) return verdict.idleMilliAfter < best.idleMilliAfter;
  if (verdict.cpuMilliAfter !== best.cpuMilliAfter) return verdict.cpuMilliAfter < best.cpuMilliAfter;
  return (group.names[0] ?? '') < (bestGroup.names[0] ?? '');
}

function roomKey({ cpuMilliFree, memoryBytesFree, model, gpuMilliFree }: NodeRoom): string {
  return `${cpuMilliFree} ${memoryBytesFree} ${[...gpuMilliFree].sort((one, other) => one - other).join(',')} ${model}`;
}

/** Where the name is, or where it belongs. */
function findAt(names: readonly string[], name: string): number {
  let from = 0;
  let to = names.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((names[middle] ?? '') < name) from = middle + 1;
    else to = middle;
  }
  return from;
}
