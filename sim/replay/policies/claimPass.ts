/**
 * Claims on GPUs in one pass. `available` of a node are its GPUs that nobody has claimed: free ones, and those of jobs that
 * stand further behind and may be stopped. A claim is made in the order of the jobs, so that no job loses GPUs to a worse one.
 */
import { assert } from '#vocabulary/assert.ts';
import { cut, gpusFit, pieceGpus } from '../gpuPool.ts';
import type { VirtualCluster } from '../virtualCluster.ts';
import type { Standing } from './standing.ts';

/** Better than any node on which somebody has to be stopped. */
const nobodyStopped = Infinity;

export class ClaimPass {
  readonly cluster: VirtualCluster;
  readonly #byRow: readonly Standing[];
  readonly #available: Uint16Array;
  /** How many nodes have 0, 1, ... available GPUs. */
  readonly #counts: number[];
  #availableGpus: number;

  constructor(cluster: VirtualCluster, byRow: readonly Standing[]) {
    const { nodes, nodeGpus, totalGpus, downGpus } = cluster.pool;
    const nodesDown = downGpus / nodeGpus;
    this.cluster = cluster;
    this.#byRow = byRow;
    this.#availableGpus = totalGpus - downGpus;
    this.#available = new Uint16Array(nodes).fill(nodeGpus);
    for (let node = 0; nodesDown > 0 && node < nodes; node += 1) if (cluster.pool.isDown(node)) this.#available[node] = 0;
    this.#counts = Array.from({ length: nodeGpus + 1 }, (_, value) => (value === nodeGpus ? nodes - nodesDown : 0));
  }

  get availableGpus(): number {
    return this.#availableGpus;
  }

  available(node: number): number {
    return this.#available[node] ?? 0;
  }

  availableOnNodes(): Uint16Array {
    return this.#available.slice();
  }

  claimedOn(node: number): readonly Standing[] {
    return this.#standingsOn(node, { claimed: true });
  }

  /** Of a job that runs: nobody takes its GPUs from now on. */
  claim(standing: Standing): void {
    standing.claimed = true;
    this.#change(standing, -1);
  }

  unclaim(standing: Standing): void {
    standing.claimed = false;
    this.#change(standing, 1);
  }

  /** Starts a waiting job on free GPUs, else on those of worse jobs. Says whether there was a place. */
  place(standing: Standing): boolean {
    const nodes = this.#find(standing.job.gpus);
    if (nodes !== undefined) this.placeOn(standing, nodes);
    return nodes !== undefined;
  }

  /** Starts a job on nodes whose available GPUs are enough, and stops whom that needs. */
  placeOn(standing: Standing, nodes: readonly number[]): void {
    const { job } = standing;
    for (const [position, node] of nodes.entries())
      for (const victim of this.#victims(node, pieceGpus(job.gpus, this.cluster.pool.nodeGpus, position))) this.cluster.preempt(victim.job);
    this.cluster.start(job, nodes);
    standing.startedNow = true;
    this.claim(standing);
  }

  #find(gpus: number): readonly number[] | undefined {
    const { pool } = this.cluster;
    if (!gpusFit(gpus, pool.nodeGpus, (value) => this.#counts[value] ?? 0)) return undefined;
    if (pool.fits(gpus)) return pool.bestFit(gpus);
    const { whole, rest } = cut(gpus, pool.nodeGpus);
    const nodes = whole > 0 ? this.#wholeNodes(whole) : [];
    if (rest === 0) return nodes;
    const node = this.#nodeFor(rest, nodes);
    assert(node >= 0, 'a job that fits by count finds a node for its last piece');
    return [...nodes, node];
  }

  /** The nodes of which all is available, by how late their best victim stands, then by index. */
  #wholeNodes(count: number): number[] {
    const { nodes, nodeGpus } = this.cluster.pool;
    const found: { readonly node: number; readonly rank: number }[] = [];
    for (let node = 0; node < nodes; node += 1)
      if (this.available(node) === nodeGpus) found.push({ node, rank: this.#bestVictimRank(node, nodeGpus) });
    // Infinity less Infinity is no number, so that ranks are compared and not subtracted.
    found.sort((a, b) => (a.rank === b.rank ? a.node - b.node : a.rank > b.rank ? -1 : 1));
    return found.slice(0, count).map(({ node }) => node);
  }

  /** The node where the best victim stands last, of those the one with the fewest available GPUs, then by index. */
  #nodeFor(gpus: number, taken: readonly number[]): number {
    let found = { node: -1, rank: -1, available: 0 };
    for (let node = 0; node < this.cluster.pool.nodes; node += 1) {
      const available = this.available(node);
      if (available < gpus || taken.includes(node)) continue;
      const rank = this.#bestVictimRank(node, gpus);
      if (rank > found.rank || (rank === found.rank && available < found.available)) found = { node, rank, available };
    }
    return found.node;
  }

  #bestVictimRank(node: number, gpus: number): number {
    if (this.cluster.pool.freeOn(node) >= gpus) return nobodyStopped;
    return this.#victims(node, gpus).reduce((best, { rank }) => Math.min(best, rank), nobodyStopped);
  }

  /** Whom to stop so that so many GPUs are free: the last in order first, and nobody whose GPUs are not needed in the end. */
  #victims(node: number, gpus: number): readonly Standing[] {
    const { pool } = this.cluster;
    let free = pool.freeOn(node);
    if (free >= gpus) return [];
    const victims: Standing[] = [];
    for (const each of this.#standingsOn(node, { claimed: false }).sort((a, b) => b.rank - a.rank)) {
      if (free >= gpus) break;
      free += pool.gpusOn(each.job, node);
      victims.push(each);
    }
    for (let at = victims.length - 1; at >= 0; at -= 1) {
      const each = victims[at];
      const back = each === undefined ? 0 : pool.gpusOn(each.job, node);
      if (free - back < gpus) continue;
      free -= back;
      victims.splice(at, 1);
    }
    return victims;
  }

  /** Asked for each node and waiting job, hence a plain loop. */
  #standingsOn(node: number, { claimed }: { readonly claimed: boolean }): Standing[] {
    const found: Standing[] = [];
    for (const { row } of this.cluster.pool.residents(node)) {
      const standing = this.#byRow[row];
      if (standing !== undefined && standing.claimed === claimed) found.push(standing);
    }
    return found;
  }

  #change({ job }: Standing, sign: 1 | -1): void {
    this.#availableGpus += sign * job.gpus;
    for (const [position, node] of job.nodes.entries()) {
      const before = this.available(node);
      const after = before + sign * pieceGpus(job.gpus, this.cluster.pool.nodeGpus, position);
      this.#counts[before] = (this.#counts[before] ?? 0) - 1;
      this.#counts[after] = (this.#counts[after] ?? 0) + 1;
      this.#available[node] = after;
    }
  }
}
