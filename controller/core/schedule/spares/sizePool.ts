/**
 * How many nodes of a domain are kept as spares, from segment arithmetic and the failure rate.
 *
 * Intuition: broken nodes come back when they are repaired, so at any time some are out of service, and a pool is empty when
 * more are out than it has nodes. Two domains that share a pool need less than two pools.
 *
 * Method. (1) Nodes of the domain that are out of service at a time: faults come at random (a Poisson process) at the rate
 * GPUs x failures per GPU-hour, and each keeps its node away for the mean time of repair. Whatever the distribution of
 * repairs, the number that is out is then Poisson with mean rate x repair (M/G/infinity). The pool has the fewest nodes k
 * with P(more than k are out) <= `emptyChance`. (2) Segments of s nodes leave what they do not fill: of N nodes without k,
 * floor((N - k) / s) segments fit, and all others are spares at no further cost. So a rack of 18 with segments of 16 has 2
 * spares whether one or two are wanted, and one of 16 with segments of 8 has 8 already for one: there a pool belongs to
 * the level above.
 *
 * Limits: faults are taken as independent. A rack that loses its power is not survived by a pool of its own.
 *
 * Source: the distribution as for nodes out of service at the 99th percentile, checked in sizePool.test.ts against figures
 * for 2,048 and 12,500 nodes; the rate of the default policy is that of Llama 3 (limits.ts).
 */
export interface PoolFacts {
  readonly nodes: number;
  readonly gpus: number;
  /** 1: no segments. */
  readonly segmentNodes: number;
  readonly failuresPerMillionGpuHours: number;
  readonly repairMs: number;
  /** More than 0, less than 1. */
  readonly emptyChance: number;
}

export interface PoolSize {
  /** What the failure rate asks for. */
  readonly wanted: number;
  /** What is kept: never less, and all that no segment fills; never more than the domain has. */
  readonly nodes: number;
  /** Segments that are left room for. */
  readonly segments: number;
}

const msPerHour = 3_600_000;

export function sizePool({ nodes, gpus, segmentNodes, failuresPerMillionGpuHours, repairMs, emptyChance }: PoolFacts): PoolSize {
  const meanOut = (gpus * failuresPerMillionGpuHours * repairMs) / 1e6 / msPerHour;
  const wanted = Math.min(nodes, poissonQuantile(meanOut, emptyChance));
  return { wanted, ...fillSegments(nodes, wanted, segmentNodes) };
}

/** What is kept of a domain when at least `wanted` nodes are, and whole segments fill the rest. */
export function fillSegments(nodes: number, wanted: number, segmentNodes: number): Pick<PoolSize, 'nodes' | 'segments'> {
  const segments = Math.floor(Math.max(0, nodes - wanted) / segmentNodes);
  return { nodes: wanted === 0 ? 0 : nodes - segments * segmentNodes, segments };
}

/** The least k with P(X > k) <= chance, of a Poisson variable. By its logarithm, so that a mean of thousands does not underflow. */
export function poissonQuantile(mean: number, chance: number): number {
  if (mean <= 0) return 0;
  let [logTerm, tail] = [-mean, 1];
  for (let k = 0; ; k += 1) {
    tail -= Math.exp(logTerm);
    // Far beyond the mean the rest is below what a double can tell.
    if (tail <= chance || k > mean + 12 * Math.sqrt(mean) + 100) return k;
    logTerm += Math.log(mean) - Math.log(k + 1);
  }
}
