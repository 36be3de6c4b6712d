import type { NodeName } from '#vocabulary/ids.ts';
import type { JobView } from '../state/view.ts';
import type { Room } from './capacity/room.ts';
import type { GangRequest } from './gang/gangRequest.ts';

/**
 * Nodes where an attempt of the job failed of late: a machine that reports itself sound may still be what breaks the job,
 * and the tightest place is the same one again. The gravest cause counts, where it happened first; what its peers died of is a
 * consequence. A GPU that failed is out by its health, and the node's other GPUs are as good as before. Sorted.
 */
export function nodesToAvoid({ attempts }: Pick<JobView, 'attempts'>, nowMs: number, avoidFailedMs: number): readonly NodeName[] {
  // Most have none: this is asked of every job that is looked at.
  if (attempts.length === 0) return none;
  const nodes = new Set<NodeName>();
  for (const { end, endedAtMs, causes } of attempts) {
    const [gravest] = end?.reasons ?? [];
    if (gravest === undefined || gravest === 'GpuFailure' || (endedAtMs ?? 0) + avoidFailedMs <= nowMs) continue;
    const node = causes.find(({ reason }) => reason === gravest)?.node;
    if (node !== undefined) nodes.add(node);
  }
  return [...nodes].sort();
}

const none: readonly NodeName[] = [];

/** The same request, on other nodes. */
export function withoutNodes({ capacity }: Room, request: GangRequest, nodes: readonly NodeName[]): GangRequest {
  const mask = request.allowed?.mask.slice() ?? new Uint8Array(capacity.nodes).fill(1);
  for (const name of nodes) {
    const node = capacity.topology.numberOf.get(name);
    if (node !== undefined) mask[node] = 0;
  }
  return { ...request, allowed: { key: JSON.stringify([request.allowed?.key ?? '', nodes]), mask } };
}
