import type { NodeName } from '#vocabulary/ids.ts';
import { workerKey } from '#vocabulary/job.ts';
import type { GpuHealth, ObservedWorker } from '#vocabulary/observed.ts';
import type { Hello, Report } from '#vocabulary/session.ts';
import type { NodeInventory } from '#vocabulary/topology.ts';
import type { WorkerRecordState } from '../events.ts';
import type { Reply } from '../inputs.ts';
import { findCurrent, onWorker } from '../jobs/onWorker.ts';
import { failAttempt, loseWorkersOn } from '../jobs/stop.ts';
import { currentAttempt } from '../state/state.ts';
import type { Turn } from '../turn.ts';
import { holdersOf } from './holds.ts';

/** A session begins: who the node is, and all that it has. */
export function onHello(turn: Turn, hello: Hello): Reply {
  const problem = findProblem(turn, hello);
  if (problem !== null) return { kind: 'refused', code: 'FAILED_PRECONDITION', ...problem };
  const { node, inventory, labels } = hello;
  const known = turn.state.nodes.get(node);
  if (known === undefined || !isSame(known.inventory, inventory) || !isSame(known.labels, labels)) {
    turn.emit({ kind: 'NodeRegistered', node, inventory, labels });
  }
  observe(turn, node, hello.workers, hello.gpuHealth);
  // An agent that lost its journal with its machine would start these a second time.
  loseUnnamed(turn, node, hello.workers, (state) => state !== 'assigned');
  return { kind: 'noted' };
}

/** The whole observed set of a node. A worker that it should have and does not name is gone, if it knows what it should have. */
export function onReport(turn: Turn, name: NodeName, report: Report): Reply {
  const node = turn.state.nodes.get(name);
  if (node === undefined)
    return { kind: 'refused', code: 'FAILED_PRECONDITION', field: 'node', message: `node ${name} has not said hello` };
  // Taken before: what is observed may itself move the generation.
  const upToDate = report.generation >= node.generation;
  observe(turn, name, report.workers, report.gpuHealth);
  if (upToDate) loseUnnamed(turn, name, report.workers, () => true);
  return { kind: 'noted' };
}

/** Nothing was heard of the node for too long. */
export function onNodeSilent(turn: Turn, name: NodeName, silentMs: number): Reply {
  const node = turn.state.nodes.get(name);
  if (node === undefined || node.availability.kind === 'lost') return { kind: 'noted' };
  const message = `node ${name} silent for ${(silentMs / 1000).toFixed(1)} s`;
  turn.emit({ kind: 'NodeLost', node: name, message });
  loseWorkersOn(turn, name, message);
  return { kind: 'noted' };
}

function observe(turn: Turn, name: NodeName, workers: readonly ObservedWorker[], health: readonly GpuHealth[]): void {
  noteHealth(turn, name, health);
  let held = 0;
  for (const observed of workers) {
    const current = findCurrent(turn, name, observed.id);
    if (current !== null && current.attempt.workers[observed.id.worker]?.state !== 'lost')
      onWorker(turn, current.job, current.attempt, observed);
    // What belongs to no current attempt counts for nothing; the agent ends it because its assignment does not name it.
    else if (observed.state.kind !== 'ended') held += 1;
  }
  noteReturn(turn, name, held);
}

/** A node that was away takes work again only when it has ended all that it still held. */
function noteReturn(turn: Turn, name: NodeName, held: number): void {
  const availability = turn.state.nodes.get(name)?.availability;
  if (availability === undefined || availability.kind === 'ready') return;
  if (held === 0) turn.emit({ kind: 'NodeReady', node: name });
  else if (availability.kind === 'lost' || availability.held !== held) turn.emit({ kind: 'NodeReturned', node: name, held });
}

function noteHealth(turn: Turn, name: NodeName, health: readonly GpuHealth[]): void {
  for (const { index, healthy, code, message } of health) {
    const known = turn.state.nodes.get(name)?.health[index];
    if (known === undefined || (known.healthy === healthy && known.code === code)) continue;
    turn.emit({ kind: 'GpuHealthChanged', node: name, gpu: index, healthy, code, message });
    if (!healthy) failHolders(turn, name, index, `GPU ${index} of ${name}: ${code} ${message}`);
  }
}

/** A GPU breaks for all that hold a part of it. */
function failHolders(turn: Turn, name: NodeName, gpu: number, message: string): void {
  const node = turn.state.nodes.get(name);
  for (const { job: uid } of node === undefined ? [] : holdersOf(node, gpu)) {
    const job = turn.state.jobs.get(uid);
    if (job !== undefined) failAttempt(turn, job, { reason: 'GpuFailure', message, node: name });
  }
}

function loseUnnamed(
  turn: Turn,
  name: NodeName,
  workers: readonly ObservedWorker[],
  mustBeThere: (state: WorkerRecordState) => boolean,
): void {
  const named = new Set(workers.map((worker) => workerKey(worker.id)));
  for (const uid of [...(turn.state.nodes.get(name)?.jobs ?? [])].sort()) {
    const job = turn.state.jobs.get(uid);
    const attempt = job === undefined ? undefined : currentAttempt(job);
    if (job === undefined || attempt === undefined) continue;
    for (const [worker, place] of attempt.placement.entries()) {
      const state = attempt.workers[worker]?.state ?? 'lost';
      if (place.node !== name || !mustBeThere(state) || named.has(workerKey({ job: uid, attempt: attempt.number, worker }))) continue;
      const ended: ObservedWorker = {
        id: { job: uid, attempt: attempt.number, worker },
        state: { kind: 'ended', reason: 'vanished', message: 'its agent no longer knows it' },
        ranks: [],
      };
      onWorker(turn, job, attempt, ended);
    }
  }
}

function findProblem(turn: Turn, hello: Hello): { field: string; message: string } | null {
  const { levels } = turn.context.policy;
  const { path, gpus } = hello.inventory;
  if (path.length !== levels.length - 1) {
    return {
      field: 'inventory.path',
      message: `topology ${JSON.stringify(path.join('/'))} has ${path.length} levels; the cluster has ${levels.length - 1} above the node: ${levels.slice(0, -1).join('/')}`,
    };
  }
  const twice = gpus.find((gpu, position) => gpus.findIndex((other) => other.index === gpu.index) !== position);
  if (twice !== undefined) return { field: 'inventory.gpus', message: `GPU index ${twice.index} is named twice` };
  const divided = findDivided(turn, hello);
  if (divided !== null) return divided;
  if (hello.epochSeen > turn.state.epoch) {
    return {
      field: 'epoch_seen',
      message: `the node has obeyed epoch ${hello.epochSeen}, this controller is at ${turn.state.epoch}: its store is older than what agents have seen (restored from a backup?)`,
    };
  }
  return null;
}

/**
 * A GPU is divided into slots, or otherwise than before, only when nobody holds any of it, as its driver has it too. The
 * node is heard again when those who held it are gone: silence ends them.
 */
function findDivided({ state }: Turn, { node: name, inventory }: Hello): { field: string; message: string } | null {
  const node = state.nodes.get(name);
  for (const [position, { index, slots }] of inventory.gpus.entries()) {
    const before = node?.inventory.gpus.find((gpu) => gpu.index === index);
    const [holder] = node === undefined ? [] : holdersOf(node, index);
    if (before === undefined || holder === undefined || JSON.stringify(before.slots) === JSON.stringify(slots)) continue;
    const job = state.jobs.get(holder.job)?.name ?? holder.job;
    return { field: `inventory.gpus[${position}].slots`, message: `GPU ${index} is not divided as before, and job ${job} holds of it` };
  }
  return null;
}

/** Inventories are plain JSON made by one codec, so equal ones print the same. */
function isSame(left: NodeInventory | Readonly<Record<string, string>>, right: NodeInventory | Readonly<Record<string, string>>): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
