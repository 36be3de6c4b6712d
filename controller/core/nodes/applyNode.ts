import { renoteCrossing } from '../jobs/crossing.ts';
import { assert, assertNever } from '#vocabulary/assert.ts';
import { generation, revision } from '#vocabulary/ids.ts';
import type { NodeEvent } from '../events.ts';
import { noPromises } from './promises.ts';
import { changeNode } from '../ledger/rates.ts';
import type { NodeState, State } from '../state/state.ts';
import { markChanged } from '../state/state.ts';
import { holdersOf } from './holds.ts';

/** Folds what happens to a node. */
export function applyNodeEvent(state: State, event: NodeEvent & { readonly atMs: number }): void {
  if (event.kind === 'NodeRegistered') {
    register(state, event);
    return;
  }
  const node = state.nodes.get(event.node);
  assert(node !== undefined, `event ${event.kind} names node ${event.node}, which is not there`);
  changeNode(state, node, () => changeRecord(node, event));
  if (event.kind === 'NodeSpared') state.spares.add(node.name);
  if (event.kind === 'SpareReleased') state.spares.delete(node.name);
  markChanged(state, node);
  // A loss lets nothing start, but waiting jobs are told another number of free GPUs. One that returns changes neither.
  if (event.kind !== 'NodeReturned') state.scheduleDirty = true;
}

function changeRecord(node: NodeState, event: Exclude<NodeEvent, { kind: 'NodeRegistered' }> & { readonly atMs: number }): void {
  switch (event.kind) {
    case 'NodeLost':
      node.availability = { kind: 'lost', message: event.message, atMs: event.atMs };
      return;
    case 'NodeReturned':
      node.availability = { kind: 'returning', held: event.held, atMs: event.atMs };
      return;
    case 'NodeReady':
      node.availability = { kind: 'ready' };
      node.roomAtMs = event.atMs;
      return;
    case 'NodeCordoned':
      node.cordon = { by: event.by, reason: event.reason, atMs: event.atMs, drain: event.drain };
      return;
    case 'NodeUncordoned':
      node.cordon = null;
      node.roomAtMs = event.atMs;
      return;
    case 'NodeSpared':
      node.spare = event.for;
      return;
    case 'SpareReleased':
      node.spare = null;
      return;
    case 'GpuHealthChanged':
      node.health[event.gpu] = { healthy: event.healthy, code: event.code, message: event.message };
      if (event.healthy) node.roomAtMs = event.atMs;
      return;
    default:
      assertNever(event);
  }
}

/** A new node, or one whose inventory changed. It becomes ready by an event of its own. */
function register(state: State, event: Extract<NodeEvent, { kind: 'NodeRegistered' }> & { readonly atMs: number }): void {
  const { node: name, inventory, labels, atMs } = event;
  const old = state.nodes.get(name);
  state.topologyAt = state.revision;
  if (old !== undefined) {
    changeNode(state, old, () => {
      old.inventory = inventory;
      old.roomAtMs = atMs;
      resizeGpus(old);
    });
    old.labels = labels;
    // It may stand elsewhere now.
    for (const uid of old.jobs) renoteCrossing(state, uid);
    markChanged(state, old);
    state.scheduleDirty = true;
    return;
  }
  const node: NodeState = {
    name,
    inventory,
    labels,
    createdAtMs: atMs,
    changedAt: revision(0),
    availability: { kind: 'returning', held: 0, atMs },
    roomAtMs: atMs,
    cordon: null,
    spare: null,
    generation: generation(1),
    health: [],
    holds: [],
    jobs: new Set(),
    promises: noPromises,
    reserved: null,
  };
  changeNode(state, node, () => resizeGpus(node));
  state.nodes.set(name, node);
  markChanged(state, node);
}

/** GPUs are named by index. One that is gone keeps its row while a job holds it, as unhealthy. */
function resizeGpus(node: NodeState): void {
  const indices = node.inventory.gpus.map((gpu) => gpu.index);
  const held = node.holds.flatMap((holds, index) => (holds.length === 0 ? [] : [index]));
  const size = Math.max(-1, ...indices, ...held) + 1;
  node.holds = Array.from({ length: size }, (_, index) => holdersOf(node, index));
  node.health = Array.from({ length: size }, (_, index) => {
    const known = node.health[index];
    if (indices.includes(index)) return known ?? { healthy: true, code: '', message: '' };
    return { healthy: false, code: 'gpu-missing', message: `GPU ${index} is not in the inventory` };
  });
}
