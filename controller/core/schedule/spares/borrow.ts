import type { JobSpec } from '#vocabulary/job.ts';
import type { JobUid, NodeName } from '#vocabulary/ids.ts';
import { currentAttempt } from '../../state/state.ts';
import type { NodeView, StateView } from '../../state/view.ts';
import type { Room } from '../capacity/room.ts';
import { slotsIfOpen } from '../capacity/shape.ts';
import { chooseGpus } from '../gang/chooseGpus.ts';
import type { GangRequest, Spot } from '../gang/gangRequest.ts';

/**
 * Whether a spare node may be lent to the job: it can be asked to leave at any time, and stands on one node, so that no
 * gang is torn when the node is needed.
 */
export function mayBorrow({ preemptible, minRuntimeMs, spread, exclusive }: JobSpec): boolean {
  return preemptible && minRuntimeMs === 0 && spread === null && exclusive === null;
}

/** It takes work now, but for being a spare: no reservation has it. */
export const isReady = (node: NodeView): boolean => node.availability.kind === 'ready' && node.cordon === null && node.reserved === null;

/** Spare nodes that can be lent now: nobody who waits was promised them. By number. */
export function lendable(state: StateView, { capacity }: Room): readonly number[] {
  return numbersOf(state, capacity.topology.numberOf, (node) => node.promises.length === 0);
}

/** Spare nodes that may take a replacement for this job. By number. */
export function sparesFor(state: StateView, { capacity }: Room, job: JobUid | undefined): readonly number[] {
  return numbersOf(state, capacity.topology.numberOf, ({ spare, promises }) => {
    const isOthers = spare?.kind === 'job' && spare.uid !== job;
    return !isOthers && promises.every((promise) => promise.job === job);
  });
}

function numbersOf(state: StateView, numberOf: ReadonlyMap<NodeName, number>, isWanted: (node: NodeView) => boolean): readonly number[] {
  const numbers: number[] = [];
  for (const name of state.spares) {
    const [node, number] = [state.nodes.get(name), numberOf.get(name)];
    if (node !== undefined && number !== undefined && isReady(node) && isWanted(node)) numbers.push(number);
  }
  return numbers.sort((one, other) => one - other);
}

/** The whole gang on one of these nodes, the one with the least room that holds it; null: none does. */
export function borrow({ capacity }: Room, { groups: [group], allowed }: GangRequest, nodes: readonly number[]): readonly Spot[] | null {
  if (group === undefined) return null;
  let [best, least] = [-1, Number.POSITIVE_INFINITY];
  for (const node of nodes) {
    if (capacity.isInExclusive(node) || (allowed !== null && allowed.mask[node] !== 1)) continue;
    const slots = slotsIfOpen(capacity, node, group.shape);
    if (slots >= group.workers && slots < least) [best, least] = [node, slots];
  }
  return best < 0 ? null : chooseGpus(capacity, best, group.shape, group.workers).map((gpus) => ({ node: best, gpus }));
}

/** Who stands on the node, if all of them may borrow it and stand nowhere else; null: somebody must not be asked to leave. */
export function borrowersOn(state: StateView, node: NodeView): readonly JobUid[] | null {
  const uids = [...node.jobs].sort();
  const isBorrower = (uid: JobUid): boolean => {
    const job = state.jobs.get(uid);
    const attempt = job === undefined ? undefined : currentAttempt(job);
    return job !== undefined && mayBorrow(job.spec) && attempt?.placement.every((place) => place.node === node.name) === true;
  };
  return uids.every(isBorrower) ? uids : null;
}
