import type { ReplayJob } from './replayJob.ts';
import type { VirtualCluster } from './virtualCluster.ts';

/** A node that goes away with all that runs on it, and comes back. */
export interface NodeFailure {
  readonly atS: number;
  /** Index of the node. */
  readonly node: number;
  readonly repairS: number;
}

export interface FailurePlan {
  readonly failures: readonly NodeFailure[];
  /** Jobs lose what they did since the last multiple of this in their present run. */
  readonly checkpointEveryS: number;
}

/** The failures of a replay in the order of time, and the repairs that are under way. */
export class NodeFailures {
  readonly #coming: readonly NodeFailure[];
  readonly #checkpointEveryS: number;
  /** By node, when it is back. */
  readonly #backAtS = new Map<number, number>();
  #next = 0;

  constructor({ failures, checkpointEveryS }: FailurePlan) {
    this.#coming = [...failures].sort((a, b) => a.atS - b.atS);
    this.#checkpointEveryS = checkpointEveryS;
  }

  /** Of the next failure or repair; Infinity when there is none. */
  get nextS(): number {
    return Math.min(this.#coming[this.#next]?.atS ?? Infinity, ...this.#backAtS.values());
  }

  repair(cluster: VirtualCluster): void {
    for (const [node, backAtS] of this.#backAtS) {
      if (backAtS > cluster.nowS) continue;
      cluster.pool.bringUp(node);
      this.#backAtS.delete(node);
    }
  }

  /** Takes away the nodes that fail by now; a node that is away already stays so for longer. Returns the jobs that stopped. */
  strike(cluster: VirtualCluster): readonly ReplayJob[] {
    const stopped: ReplayJob[] = [];
    for (let failure = this.#coming[this.#next]; failure !== undefined && failure.atS <= cluster.nowS; failure = this.#coming[this.#next]) {
      this.#next += 1;
      const { node, repairS } = failure;
      const backAtS = this.#backAtS.get(node);
      this.#backAtS.set(node, Math.max(backAtS ?? 0, cluster.nowS + repairS));
      if (backAtS !== undefined) continue;
      for (const job of [...cluster.pool.residents(node)]) {
        cluster.interrupt(job, this.#checkpointEveryS);
        stopped.push(job);
      }
      cluster.pool.takeDown(node);
    }
    return stopped;
  }
}
