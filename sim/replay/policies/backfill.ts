/**
 * EASY backfilling (Lifka 1995; Mu'alem and Feitelson 2001), exact to the node. The shadow time is the earliest
 * estimated end at which the head of the queue fits when everything that ends by then is released. A job behind the head
 * may start when it ends by the shadow time, or when the head still fits at the shadow time beside it.
 */
import { gpusFit, pieceGpus } from '../gpuPool.ts';
import type { ReplayJob } from '../replayJob.ts';
import { rowsMax } from '../timeHeap.ts';
import type { VirtualCluster } from '../virtualCluster.ts';

/** When all estimates were too short, the head is expected after this. */
const patienceS = 60;

export class Backfill {
  readonly #cluster: VirtualCluster;
  /** What runs, by (estimated end, row), packed into one number each so that a search compares numbers only. */
  readonly #keys: number[] = [];
  readonly #running = new Map<number, { readonly job: ReplayJob; readonly key: number }>();

  constructor(cluster: VirtualCluster) {
    this.#cluster = cluster;
  }

  running(): readonly ReplayJob[] {
    return Array.from(this.#running.values(), ({ job }) => job);
  }

  started(job: ReplayJob): void {
    const key = endKey(job);
    this.#keys.splice(positionOf(this.#keys, key), 0, key);
    this.#running.set(job.row, { job, key });
  }

  ended(job: ReplayJob): void {
    // By the key of its start: what the job is expected to take may have changed with its stop.
    const key = this.#running.get(job.row)?.key;
    if (key === undefined) return;
    this.#keys.splice(positionOf(this.#keys, key), 1);
    this.#running.delete(job.row);
  }

  /**
   * Where a job that fits now may start without delaying `head`, or undefined; what it answers with is started. Jobs of a
   * size that was refused are refused without another look until something starts, as all would be the same for them.
   */
  around(head: ReplayJob): (job: ReplayJob) => readonly number[] | undefined {
    const { pool, nowS } = this.#cluster;
    const later = new LaterVector(this.#cluster);
    const shadowS = this.#release(later, head);
    const refusedGpus = new Set<number>();
    return (job) => {
      const endsBefore = nowS + expectedS(job) <= shadowS;
      if (!endsBefore && refusedGpus.has(job.gpus)) return undefined;
      const nodes = pool.bestFit(job.gpus);
      if (!endsBefore) {
        later.move(job, nodes, -1);
        if (!gpusFit(head.gpus, pool.nodeGpus, (value) => later.counts[value] ?? 0)) {
          later.move(job, nodes, 1);
          refusedGpus.add(job.gpus);
          return undefined;
        }
      }
      refusedGpus.clear();
      return nodes;
    };
  }

  /** Releases what runs, until the head fits, and returns when that is. */
  #release(later: LaterVector, head: ReplayJob): number {
    const { pool, nowS } = this.#cluster;
    for (let at = 0; at < this.#keys.length; ) {
      const endS = Math.floor((this.#keys[at] ?? 0) / rowsMax);
      for (; at < this.#keys.length && Math.floor((this.#keys[at] ?? 0) / rowsMax) === endS; at += 1) {
        const job = this.#running.get((this.#keys[at] ?? 0) % rowsMax)?.job;
        if (job !== undefined) later.move(job, job.nodes, 1);
      }
      if (gpusFit(head.gpus, pool.nodeGpus, (value) => later.counts[value] ?? 0)) return endS <= nowS ? nowS + patienceS : endS;
    }
    return Infinity;
  }
}

/** Free GPUs of each node at a later time, and how many nodes have how many. */
class LaterVector {
  readonly counts: number[];
  readonly #nodeGpus: number;
  readonly #free: Uint16Array;

  constructor({ pool }: VirtualCluster) {
    this.#nodeGpus = pool.nodeGpus;
    this.counts = pool.freeCounts();
    this.#free = pool.freeVector();
  }

  move(job: ReplayJob, nodes: readonly number[], sign: 1 | -1): void {
    for (let position = 0; position < nodes.length; position += 1) {
      const node = nodes[position] ?? 0;
      const before = this.#free[node] ?? 0;
      const after = before + sign * pieceGpus(job.gpus, this.#nodeGpus, position);
      this.counts[before] = (this.counts[before] ?? 0) - 1;
      this.counts[after] = (this.counts[after] ?? 0) + 1;
      this.#free[node] = after;
    }
  }
}

/** After a job was stopped once, what it has left is taken as known. */
function expectedS({ heldS, overheadS, remainingS, estimateS }: ReplayJob): number {
  return heldS > 0 || overheadS > 0 ? remainingS : estimateS;
}

function endKey(job: ReplayJob): number {
  return (job.startedS + expectedS(job)) * rowsMax + job.row;
}

/** Where the key is, or belongs. */
function positionOf(keys: readonly number[], key: number): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? 0) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
