import type { NodeName } from '#vocabulary/ids.ts';
import type { Placement } from '#vocabulary/job.ts';
import { withPromise } from '../nodes/promises.ts';
import type { JobRecord, NodeState, State } from '../state/state.ts';
import type { JobView } from '../state/view.ts';
import { changeNode } from './rates.ts';
import { settleJob } from './settle.ts';

/**
 * Places that are kept for a job that waits, or that is to move. A whole GPU there that is free is `reserved`, and the time is the job's: nobody
 * else can have it. A GPU that is held still, sick or cordoned is what it is. Each node has its promises as an index
 * (nodes/promises.ts), so an event costs the nodes that it is about.
 */
const noPlaces: Placement = [];

/**
 * All that the job was promised. The one place that knows what kinds of promise there are: whatever makes, changes or
 * ends one goes through `changePromises`.
 */
export function promisedPlaces({ nomination, target, move }: Pick<JobView, 'nomination' | 'target' | 'move'>): Placement {
  return nomination?.placement ?? target?.placement ?? (move?.kind === 'asked' ? move.placement : noPlaces);
}

/** Lets the job's record change, and brings the nodes that it was or is promised in step. O(1) when it was and is promised nothing. */
export function changePromises(state: State, job: JobRecord, change: () => void): void {
  const before = promisedPlaces(job);
  change();
  const after = promisedPlaces(job);
  if (before.length === 0 && after.length === 0) return;
  settleJob(state, job);
  const gpusOf = gpusByNode(after);
  for (const name of new Set([...before, ...after].map(({ node }) => node))) {
    const node = state.nodes.get(name);
    if (node === undefined) continue;
    changeNode(state, node, () => {
      node.promises = withPromise(node.promises, job.uid, gpusOf.get(name));
    });
  }
}

/** Makes the index of the nodes again. For a state whose rates are not counted yet. */
export function restorePromises(nodes: ReadonlyMap<NodeName, NodeState>, job: JobRecord): void {
  for (const [name, gpus] of gpusByNode(promisedPlaces(job))) {
    const node = nodes.get(name);
    if (node !== undefined) node.promises = withPromise(node.promises, job.uid, gpus);
  }
}

function gpusByNode(places: Placement): ReadonlyMap<NodeName, readonly number[]> {
  const gpus = new Map<NodeName, readonly number[]>();
  // A promised slot is no whole GPU.
  for (const place of places)
    if (place.gpus.length > 0 && place.slot === undefined) gpus.set(place.node, [...(gpus.get(place.node) ?? []), ...place.gpus]);
  return gpus;
}
