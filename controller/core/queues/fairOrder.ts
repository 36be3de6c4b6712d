import { assert } from '#vocabulary/assert.ts';
import type { QueueName } from '#vocabulary/ids.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import { QueueTree } from './queueTree.ts';
import type { UsageState } from './share.ts';
import { dominantShare, readUsage, shareOfModel, weighted } from './share.ts';
import { usageKey } from './usageKey.ts';

/**
 * Which queue's turn it is. Made once a pass, from the state as it is then; the pass says who has candidates (`open`, `close`) and what it gave
 * (`gave`), and asks for the `next` queue as often as it likes.
 *
 * From the roots down, at each level among the queues that have candidates in or below them:
 *
 * 1. those with a candidate of a serving queue before the others;
 * 2. those below their guarantee for a model that they want, by held / guaranteed (the least of those models), least first;
 * 3. the others by weighted dominant share (share.ts), least first, weight 0 after all others;
 * 4. by name.
 *
 * When the pass tells how much the next candidate wants, half of it counts as held already: what the share would be in the
 * middle of giving. Otherwise a queue of small weight, whose share is a job or two, would always be one job above it
 * (divisor methods: Webster's, which has no bias, instead of Adams's; Balinski and Young, Fair Representation, 1982).
 *
 * Candidates of an inner queue itself stand as one more child of it, without guarantee and with weight 1.
 *
 * Cost: each node keeps its open children sorted; a change moves the queue and those above it within their lists:
 * two binary searches at each level. `next` walks down the first ones: O(depth).
 * Measured with 421 queues in three levels: 1 ms to make, 2.5 µs for a turn (`next` and `gave`); one core, 2026-11-25.
 */
export interface FairOrderInput {
  readonly state: UsageState;
  /** By model; see share.ts `capacityMilliOf`. */
  readonly capacityMilli: ReadonlyMap<string, number>;
  readonly nowMs: number;
}

interface Rank {
  readonly serving: boolean;
  /** held / guaranteed, below 1; 1: not below the guarantee. */
  readonly fulfilled: number;
  readonly unweighted: boolean;
  readonly share: number;
}

export interface FairStanding {
  readonly name: QueueName;
  /** The share with half of what its next candidate wants. */
  readonly compared: number;
  readonly fulfilled: number;
  readonly isServing: boolean;
  /** From 1. */
  readonly turn: { readonly at: number; readonly of: number };
  /** The one right before it; null: it is the first. */
  readonly after: { readonly name: QueueName; readonly compared: number } | null;
}

interface TreeNode {
  /** null: above the roots. */
  readonly name: QueueName | null;
  readonly parent: TreeNode | null;
  readonly weight: number;
  /** Milli-GPU by model; 0 without guarantee. */
  readonly guaranteedMilli: (model: string) => number;
  readonly usage: Map<string, { heldMilli: number; readonly pastMilli: number | null }>;
  /** Children with candidates in or below them, first one first. */
  readonly open: TreeNode[];
  /** How many open leaves in or below it want a model. */
  readonly wants: Map<string, number>;
  /** Of the candidate that is next in or below it. */
  next: Want['next'];
  openLeaves: number;
  openServingLeaves: number;
  rank: Rank;
}

interface Leaf {
  readonly node: TreeNode;
  readonly serving: boolean;
  /** null: no candidates. */
  want: Want | null;
}

interface Want {
  readonly models: readonly string[];
  /** null: no GPUs. */
  readonly next: { readonly model: string; readonly gpuMilli: number } | null;
}

const noRank: Rank = { serving: false, fulfilled: 1, unweighted: false, share: 0 };

export class FairOrder {
  readonly #input: FairOrderInput;
  readonly #tree: QueueTree;
  readonly #root: TreeNode;
  readonly #leaves = new Map<QueueName, Leaf>();

  constructor(input: FairOrderInput) {
    this.#input = input;
    this.#tree = new QueueTree(input.state.queues);
    this.#root = makeNode({ name: null, parent: null, weight: 1, guaranteedMilli: () => 0, usage: new Map() });
    for (const queue of this.#tree.children(null)) this.#build(queue, this.#root);
  }

  /**
   * The queue has candidates, and the next one accepts these models (empty: it wants no GPUs), the first one rather than
   * the others, and so much of it (0: not told). Again: the next candidate is another one now.
   */
  open(queue: QueueName, models: readonly string[], gpuMilli = 0): void {
    const model = models[0];
    this.#setWant(this.#leaf(queue), { models, next: model === undefined ? null : { model, gpuMilli } });
  }

  /** The queue has no more candidates in this pass. */
  close(queue: QueueName): void {
    this.#setWant(this.#leaf(queue), null);
  }

  /** The queue was given GPUs; negative: it gave them back. */
  gave(queue: QueueName, model: string, gpuMilli: number): void {
    this.#change(this.#leaf(queue), (node) => {
      const usage = node.usage.get(model);
      if (usage === undefined) node.usage.set(model, { heldMilli: gpuMilli, pastMilli: null });
      else usage.heldMilli += gpuMilli;
    });
  }

  /** Whose turn it is; null: nobody has candidates. The same answer until something is told. */
  next(): QueueName | null {
    let node = this.#root;
    if (node.openLeaves === 0) return null;
    for (let child = node.open[0]; child !== undefined; child = node.open[0]) node = child;
    return node.name;
  }

  /** What `next` compares, for people: the queue, and those above it, among the queues beside them that have candidates. */
  standing(queue: QueueName): readonly FairStanding[] {
    const standings: FairStanding[] = [];
    for (let node: TreeNode | null = this.#leaf(queue).node; node !== null; node = node.parent) {
      const { name, parent, rank } = node;
      // An inner queue's own candidates stand beside the queues below it; people think of them as that queue.
      if (name === null || parent === null || parent.name === name) continue;
      const at = parent.open.indexOf(node);
      const before = parent.open[at - 1];
      const after = before === undefined || before.name === null ? null : { name: before.name, compared: before.rank.share };
      const { share: compared, fulfilled, serving: isServing } = rank;
      standings.push({ name, compared, fulfilled, isServing, turn: { at: at + 1, of: parent.open.length }, after });
    }
    return standings;
  }

  #leaf(queue: QueueName): Leaf {
    const leaf = this.#leaves.get(queue);
    assert(leaf !== undefined, `queue ${queue} is not there, or came after the pass began`);
    return leaf;
  }

  /** All at once and not when first named: later the state has what was given since, which `gave` would count again. */
  #build(queue: QueueName, parent: TreeNode): void {
    const node = makeNode({
      name: queue,
      parent,
      weight: this.#input.state.queues.get(queue)?.spec.weight ?? 1,
      guaranteedMilli: (model) => this.#tree.guaranteed(queue, model) * gpuMilliPerGpu,
      usage: this.#usage(queue, (model) => usageKey.queue(queue, model)),
    });
    const children = this.#tree.children(queue);
    const own = children.length === 0 ? node : this.#ownNode(queue, node);
    this.#leaves.set(queue, { node: own, serving: this.#tree.isServing(queue), want: null });
    for (const child of children) this.#build(child, node);
  }

  #ownNode(queue: QueueName, parent: TreeNode): TreeNode {
    const usage = this.#usage(queue, (model) => usageKey.own(queue, model));
    return makeNode({ name: queue, parent, weight: 1, guaranteedMilli: () => 0, usage });
  }

  #usage(queue: QueueName, key: (model: string) => string): TreeNode['usage'] {
    const { state, capacityMilli, nowMs } = this.#input;
    return readUsage(state, { queue, key, countsPast: !this.#tree.isServing(queue) }, capacityMilli.keys(), nowMs);
  }

  #setWant(leaf: Leaf, want: Want | null): void {
    const old = leaf.want;
    leaf.want = want;
    const leaves = Number(want !== null) - Number(old !== null);
    this.#change(leaf, (node) => {
      node.openLeaves += leaves;
      if (leaf.serving) node.openServingLeaves += leaves;
      for (const model of old?.models ?? []) node.wants.set(model, (node.wants.get(model) ?? 0) - 1);
      for (const model of want?.models ?? []) node.wants.set(model, (node.wants.get(model) ?? 0) + 1);
    });
  }

  /** Changes the leaf and all above it, and puts each into its place again. */
  #change(leaf: Leaf, change: (node: TreeNode) => void): void {
    for (let node: TreeNode | null = leaf.node; node !== null; node = node.parent) {
      const siblings = node.parent?.open ?? [];
      if (node.openLeaves > 0) siblings.splice(position(siblings, node), 1);
      change(node);
      // The children are in order already: the way goes up.
      node.next = node === leaf.node ? (leaf.want?.next ?? null) : (node.open[0]?.next ?? null);
      assert(node.openLeaves >= 0, `queue ${node.name} has ${node.openLeaves} open queues in or below it`);
      node.rank = this.#rankOf(node);
      if (node.openLeaves > 0) siblings.splice(position(siblings, node), 0, node);
    }
  }

  #rankOf(node: TreeNode): Rank {
    if (node.parent === null) return noRank;
    let fulfilled = 1;
    for (const [model, leaves] of node.wants) {
      if (leaves === 0) continue;
      const guaranteed = node.guaranteedMilli(model);
      const held = node.usage.get(model)?.heldMilli ?? 0;
      if (held < guaranteed) fulfilled = Math.min(fulfilled, held / guaranteed);
    }
    const share = weighted(this.#shareOf(node), node.weight);
    return { serving: node.openServingLeaves > 0, fulfilled, unweighted: node.weight === 0, share };
  }

  #shareOf({ usage, next }: TreeNode): number {
    const { capacityMilli } = this.#input;
    const share = dominantShare(usage, capacityMilli);
    if (next === null || next.gpuMilli === 0) return share;
    const of = usage.get(next.model);
    const halfGiven = { heldMilli: (of?.heldMilli ?? 0) + next.gpuMilli / 2, pastMilli: of?.pastMilli ?? null };
    return Math.max(share, shareOfModel(halfGiven, capacityMilli.get(next.model) ?? 0));
  }
}

function makeNode(of: Pick<TreeNode, 'name' | 'parent' | 'weight' | 'guaranteedMilli' | 'usage'>): TreeNode {
  return { ...of, open: [], wants: new Map(), next: null, openLeaves: 0, openServingLeaves: 0, rank: noRank };
}

/** Where the node stands, or would stand. Exact: no two children of a node compare as equal. */
function position(siblings: readonly TreeNode[], node: TreeNode): number {
  let low = 0;
  let high = siblings.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = siblings[middle];
    if (other !== undefined && comesBefore(other, node)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function comesBefore(left: TreeNode, right: TreeNode): boolean {
  const [a, b] = [left.rank, right.rank];
  if (a.serving !== b.serving) return a.serving;
  if (a.fulfilled !== b.fulfilled) return a.fulfilled < b.fulfilled;
  if (a.unweighted !== b.unweighted) return b.unweighted;
  if (a.share !== b.share) return a.share < b.share;
  return (left.name ?? '') < (right.name ?? '');
}
