/**
 * Whole nodes for a job that found none: small jobs with a claim leave the nodes that are cheapest to empty, when all of
 * them fit elsewhere at once. They pay a preemption each and start again in the same pass.
 */
import { cut } from '../gpuPool.ts';
import type { ClaimPass } from './claimPass.ts';
import type { Standing } from './standing.ts';

export function moveAside(claims: ClaimPass, standing: Standing): void {
  const nodes = cheapestNodes(claims, standing.job.gpus);
  if (nodes === undefined) return;
  // The largest first: they find room the hardest.
  const movers = nodes.flatMap((node) => claims.claimedOn(node)).sort((a, b) => b.job.gpus - a.job.gpus || a.job.row - b.job.row);
  if (!fitElsewhere(claims, movers, nodes)) return;
  for (const each of movers) {
    claims.unclaim(each);
    claims.cluster.preempt(each.job);
  }
  claims.placeOn(standing, nodes);
  // The trial looked at GPUs that can be had; another mover may have taken them otherwise, then this one waits.
  for (const each of movers) claims.place(each);
}

/** As many nodes as the job has pieces, by what it costs to move the claimed jobs away; undefined when there are too few. */
function cheapestNodes(claims: ClaimPass, gpus: number): readonly number[] | undefined {
  if (claims.availableGpus < gpus) return undefined;
  const { pool } = claims.cluster;
  const { whole, rest } = cut(gpus, pool.nodeGpus);
  const wanted = whole + (rest > 0 ? 1 : 0);
  const found: { readonly node: number; readonly cost: number }[] = [];
  for (let node = 0; node < pool.nodes; node += 1) {
    const cost = costOfMoving(claims, node);
    if (cost !== undefined) found.push({ node, cost });
  }
  if (found.length < wanted) return undefined;
  found.sort((a, b) => a.cost - b.cost || a.node - b.node);
  return found.slice(0, wanted).map(({ node }) => node);
}

/** GPU-seconds of overhead; undefined when the node is away, or somebody there cannot be moved: a job of a node or more, or one just started. */
function costOfMoving(claims: ClaimPass, node: number): number | undefined {
  const { cluster } = claims;
  if (claims.available(node) === cluster.pool.nodeGpus) return 0;
  if (cluster.pool.isDown(node)) return undefined;
  let cost = 0;
  for (const { job, startedNow } of claims.claimedOn(node)) {
    if (job.gpus >= cluster.pool.nodeGpus || startedNow) return undefined;
    cost += job.gpus * cluster.preemptionCostS(job.gpus);
  }
  return cost;
}

/** A trial on the available GPUs of the other nodes, each where the fewest are enough. */
function fitElsewhere(claims: ClaimPass, movers: readonly Standing[], nodes: readonly number[]): boolean {
  const available = claims.availableOnNodes();
  for (const node of nodes) available[node] = 0;
  return movers.every(({ job }) => {
    let found = -1;
    for (const [node, each] of available.entries()) if (each >= job.gpus && (found < 0 || each < (available[found] ?? 0))) found = node;
    if (found >= 0) available[found] = (available[found] ?? 0) - job.gpus;
    return found >= 0;
  });
}
