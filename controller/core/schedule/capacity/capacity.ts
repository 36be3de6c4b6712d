import type { JobUid, NodeName } from '#vocabulary/ids.ts';
import { assert } from '#vocabulary/assert.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import { ChangeList } from '../../state/changeList.ts';
import type { GpuGroups } from './linkedGpus.ts';
import { LinkedGpus } from './linkedGpus.ts';
import type { PlacedNode, Topology } from './topology.ts';
import { compileTopology, domainAbove, domainsInside } from './topology.ts';

/**
 * What is free in the cluster, in typed arrays over the numbered nodes of a topology. One owner changes it: `take` and
 * `give` move what a worker holds, `mark` and `rollback` undo a trial, `copy` gives a second cluster for what may be in
 * an hour. Every change of a node is noted, so that counters built on top count again only what changed.
 */
export interface NodeFacts extends PlacedNode {
  /** Takes new work: ready and not cordoned. */
  readonly open: boolean;
  /** null: unbounded. */
  readonly cpuMilli: number | null;
  readonly memoryBytes: number | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly gpus: readonly GpuFacts[];
}

export interface GpuFacts {
  readonly index: number;
  readonly model: string;
  /** GPUs of one node with the same number talk over NVLink. */
  readonly nvlinkDomain: number | null;
  readonly healthy: boolean;
  /** The device is a slot of this GPU; its index is a number beyond those of GPUs. */
  readonly slotOf?: { readonly gpu: number; readonly uuid: string };
}

/** What one worker holds of one node. */
export interface Hold {
  /** null: a trial. */
  readonly owner: JobUid | null;
  /** Number of the node. */
  readonly node: number;
  /** Indices of GPUs within the node. */
  readonly gpus: readonly number[];
  /** Of each of them, 1..1000. */
  readonly gpuMilli: number;
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  /** As long as it is held, the node's domain of this depth takes no new work: the owner wanted it for itself. */
  readonly exclusiveDepth?: number;
}

/** Workers without GPUs that one node is given at most. */
export const gpulessWorkersMax = 64;

export class Capacity {
  readonly topology: Topology;
  readonly models: readonly string[];
  readonly #facts: NodeFacts[];
  /** GPUs of node n are numbered from gpuStart[n]; an index that the node lacks is unusable. */
  readonly #gpuStart: Int32Array;
  readonly #gpusMost: number;
  readonly #free: Int16Array;
  readonly #usable: Uint8Array;
  readonly #model: Int16Array;
  readonly #open: Uint8Array;
  /** By node: holds that want it, or a domain around it, for themselves. */
  readonly #closed: Int32Array;
  readonly #cpuFree: Float64Array;
  readonly #memoryFree: Float64Array;
  readonly #gpuless: Int32Array;
  /** By node: the model of all its GPUs, -1 when it has several or none. */
  readonly #oneModel: Int16Array;
  /** By node: usable GPUs that nobody holds a part of. */
  readonly #whole: Int16Array;
  readonly #linked: LinkedGpus;
  readonly #holds: (readonly Hold[])[];
  /** Numbers of nodes. */
  readonly #changes: ChangeList<number>;
  #journal: { readonly hold: Hold; readonly taken: boolean }[] = [];
  #marks = 0;

  private constructor(topology: Topology, models: readonly string[], facts: readonly NodeFacts[], gpuStart: Int32Array) {
    const nodes = topology.names.length;
    const gpus = gpuStart[nodes] ?? 0;
    this.topology = topology;
    this.models = models;
    this.#facts = [...facts];
    this.#gpuStart = gpuStart;
    this.#gpusMost = gpuStart.reduce((most, start, node) => Math.max(most, start - (gpuStart[node - 1] ?? 0)), 0);
    this.#free = new Int16Array(gpus);
    this.#usable = new Uint8Array(gpus);
    this.#model = new Int16Array(gpus).fill(-1);
    this.#open = new Uint8Array(nodes);
    this.#closed = new Int32Array(nodes);
    this.#cpuFree = new Float64Array(nodes);
    this.#memoryFree = new Float64Array(nodes);
    this.#gpuless = new Int32Array(nodes);
    this.#oneModel = new Int16Array(nodes).fill(-1);
    this.#whole = new Int16Array(nodes);
    this.#linked = new LinkedGpus(nodes);
    this.#holds = Array.from({ length: nodes }, () => []);
    this.#changes = new ChangeList(4 * nodes + 1024);
  }

  /** `depth`: the number of levels. */
  static of(nodes: readonly NodeFacts[], depth: number): Capacity {
    const topology = compileTopology(nodes, depth);
    const byName = new Map(nodes.map((node) => [node.name, node]));
    const facts = topology.names.flatMap((name) => byName.get(name) ?? []);
    const models = [...new Set(facts.flatMap((node) => node.gpus.map((gpu) => gpu.model)))].sort();
    const gpuStart = new Int32Array(facts.length + 1);
    for (const [number, node] of facts.entries()) {
      gpuStart[number + 1] = (gpuStart[number] ?? 0) + Math.max(-1, ...node.gpus.map((gpu) => gpu.index)) + 1;
    }
    const capacity = new Capacity(topology, models, facts, gpuStart);
    for (const [number, node] of facts.entries()) capacity.setNode(number, node, []);
    return capacity;
  }

  get nodes(): number {
    return this.topology.names.length;
  }

  /** Of the node that has most. */
  get gpusMost(): number {
    return this.#gpusMost;
  }

  nameOf(node: number): NodeName {
    const name = this.topology.names[node];
    assert(name !== undefined, `there is no node number ${node}`);
    return name;
  }

  factsOf(node: number): NodeFacts {
    const facts = this.#facts[node];
    assert(facts !== undefined, `there is no node number ${node}`);
    return facts;
  }

  modelNumber(model: string): number {
    return this.models.indexOf(model);
  }

  isOpen(node: number): boolean {
    return this.#open[node] === 1 && this.#closed[node] === 0;
  }

  holdsOf(node: number): readonly Hold[] {
    return this.#holds[node] ?? [];
  }

  /** Size of the node's index range of GPUs. */
  gpusOf(node: number): number {
    return (this.#gpuStart[node + 1] ?? 0) - (this.#gpuStart[node] ?? 0);
  }

  /** Free part of a GPU in milli-GPU; 0 when it is unhealthy, of another model (`model` >= 0) or not there. */
  freeMilli(node: number, gpu: number, model = -1): number {
    const at = (this.#gpuStart[node] ?? 0) + gpu;
    if (this.#usable[at] !== 1 || (model >= 0 && this.#model[at] !== model)) return 0;
    return this.#free[at] ?? 0;
  }

  /** The node's GPUs by NVLink domain. */
  linkedGpus(node: number): GpuGroups {
    return this.#linked.of(node, this.factsOf(node).gpus);
  }

  /** Healthy GPUs of the model that are wholly free. */
  wholeFree(node: number, model: number): number {
    const one = this.#oneModel[node];
    if (one !== -1) return one === model ? (this.#whole[node] ?? 0) : 0;
    let free = 0;
    for (let gpu = 0; gpu < this.gpusOf(node); gpu += 1) if (this.freeMilli(node, gpu, model) === gpuMilliPerGpu) free += 1;
    return free;
  }

  cpuFreeMilli(node: number): number {
    return this.#cpuFree[node] ?? 0;
  }

  memoryFreeBytes(node: number): number {
    return this.#memoryFree[node] ?? 0;
  }

  /** Workers without GPUs for which the node has a place. */
  gpulessFree(node: number): number {
    return Math.max(0, gpulessWorkersMax - (this.#gpuless[node] ?? 0));
  }

  /** What the node is and what is held there, from scratch. The number of its GPUs cannot grow: that is another topology. */
  setNode(node: number, facts: NodeFacts, holds: readonly Hold[]): void {
    assert(this.#marks === 0, 'a trial is under way');
    const start = this.#gpuStart[node] ?? 0;
    this.#facts[node] = facts;
    this.#linked.forget(node);
    this.#free.fill(gpuMilliPerGpu, start, this.#gpuStart[node + 1]);
    this.#usable.fill(0, start, this.#gpuStart[node + 1]);
    for (const gpu of facts.gpus) {
      this.#model[start + gpu.index] = this.models.indexOf(gpu.model);
      this.#usable[start + gpu.index] = gpu.healthy ? 1 : 0;
    }
    const [first] = facts.gpus;
    const uniform = first !== undefined && facts.gpus.every((gpu) => gpu.model === first.model);
    this.#oneModel[node] = uniform ? this.models.indexOf(first.model) : -1;
    this.#whole[node] = facts.gpus.filter((gpu) => gpu.healthy).length;
    this.#open[node] = facts.open ? 1 : 0;
    this.#cpuFree[node] = facts.cpuMilli ?? Number.POSITIVE_INFINITY;
    this.#memoryFree[node] = facts.memoryBytes ?? Number.POSITIVE_INFINITY;
    this.#gpuless[node] = 0;
    for (const hold of this.#holds[node] ?? []) this.#close(hold, -1);
    this.#holds[node] = [];
    for (const hold of holds) this.#move(hold, true);
    this.#noteChange(node);
  }

  /** Whether somebody has a domain around it for himself: nobody else may stand here, open or not. */
  isInExclusive(node: number): boolean {
    return (this.#closed[node] ?? 0) > 0;
  }

  /** A node begins or ceases to take new work; what is held there stays. */
  setOpen(node: number, open: boolean): void {
    this.#facts[node] = { ...this.factsOf(node), open };
    this.#open[node] = open ? 1 : 0;
    this.#noteChange(node);
  }

  /** Looks while these nodes take work that else take none. */
  withOpen<T>(nodes: readonly number[], look: () => T): T {
    for (const node of nodes) this.setOpen(node, true);
    const seen = look();
    for (const node of nodes) this.setOpen(node, false);
    return seen;
  }

  /** The hold must fit: a GPU given twice is a broken promise. */
  take(hold: Hold): void {
    this.#move(hold, true);
    this.#noteChange(hold.node);
    if (this.#marks > 0) this.#journal.push({ hold, taken: true });
  }

  give(hold: Hold): void {
    this.#move(hold, false);
    this.#noteChange(hold.node);
    if (this.#marks > 0) this.#journal.push({ hold, taken: false });
  }

  /** Begins a trial; `rollback` with the answer undoes all that was taken and given since. Trials nest. */
  mark(): number {
    this.#marks += 1;
    return this.#journal.length;
  }

  rollback(mark: number): void {
    assert(this.#marks > 0, 'a trial is under way when it is rolled back');
    for (let at = this.#journal.length - 1; at >= mark; at -= 1) {
      const entry = this.#journal[at];
      if (entry === undefined) continue;
      this.#move(entry.hold, !entry.taken);
      this.#noteChange(entry.hold.node);
    }
    this.#journal.length = mark;
    this.#marks -= 1;
    if (this.#marks === 0) this.#journal = [];
  }

  /** Ends a trial and keeps what it did; an outer trial can still undo it. */
  keep(): void {
    this.#marks -= 1;
    if (this.#marks === 0) this.#journal = [];
  }

  copy(): Capacity {
    const other = new Capacity(this.topology, this.models, this.#facts, this.#gpuStart);
    other.#free.set(this.#free);
    other.#usable.set(this.#usable);
    other.#model.set(this.#model);
    other.#open.set(this.#open);
    other.#closed.set(this.#closed);
    other.#cpuFree.set(this.#cpuFree);
    other.#memoryFree.set(this.#memoryFree);
    other.#gpuless.set(this.#gpuless);
    other.#oneModel.set(this.#oneModel);
    other.#whole.set(this.#whole);
    for (const [node, holds] of this.#holds.entries()) other.#holds[node] = holds;
    return other;
  }

  /** Position in the list of changes; see `changedSince`. */
  get changes(): number {
    return this.#changes.end;
  }

  /** Numbers of nodes that changed after this position, perhaps repeated; null: too many to say, look at all. */
  changedSince(position: number): readonly number[] | null {
    return this.#changes.since(position);
  }

  #noteChange(node: number): void {
    this.#changes.note(node);
  }

  #close({ node, exclusiveDepth: depth }: Hold, by: number): void {
    if (depth === undefined) return;
    const { topology } = this;
    const [first, end] = domainsInside(topology, { domain: domainAbove(topology, node, depth), depth }, topology.depth);
    const start = topology.levelStart[topology.depth] ?? 0;
    for (let each = first - start; each < end - start; each += 1) {
      this.#closed[each] = (this.#closed[each] ?? 0) + by;
      this.#noteChange(each);
    }
  }

  #move(hold: Hold, taken: boolean): void {
    const { node, gpus, gpuMilli } = hold;
    const start = this.#gpuStart[node] ?? 0;
    const sign = taken ? -1 : 1;
    for (const gpu of gpus) {
      const before = this.#free[start + gpu] ?? 0;
      const after = before + sign * gpuMilli;
      // Moves are many: the message is only made when there is somebody to read it.
      if (after < 0 || after > gpuMilliPerGpu)
        assert(false, `GPU ${gpu} of ${this.nameOf(node)} has ${before} milli free, ${gpuMilli} are moved`);
      this.#free[start + gpu] = after;
      if (this.#usable[start + gpu] !== 1) continue;
      if (before === gpuMilliPerGpu) this.#whole[node] = (this.#whole[node] ?? 0) - 1;
      if (after === gpuMilliPerGpu) this.#whole[node] = (this.#whole[node] ?? 0) + 1;
    }
    this.#cpuFree[node] = (this.#cpuFree[node] ?? 0) + sign * hold.cpuMilli;
    this.#memoryFree[node] = (this.#memoryFree[node] ?? 0) + sign * hold.memoryBytes;
    if (gpus.length === 0) this.#gpuless[node] = (this.#gpuless[node] ?? 0) - sign;
    this.#close(hold, -sign);
    const holds = this.#holds[node] ?? [];
    this.#holds[node] = taken ? holds.concat(hold) : holds.filter((other) => other !== hold);
  }
}
