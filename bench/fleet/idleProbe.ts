/**
 * Why GPUs are idle while work waits: looked at every ten minutes of the cluster's time. What is free, on empty nodes or
 * between others' work, and who waits meanwhile, in which shape and for which reason.
 */
import type { StepResult } from '#core/step.ts';
import { atLeast } from '#core/jobs/size.ts';
import type { JobView, NodeView, StateView } from '#core/state/view.ts';
import { isWhollyFree } from '#core/nodes/holds.ts';

const everyMs = 600_000;

export interface IdleSum {
  looks: number;
  /** Looks at which something waits. The rest is summed over those. */
  waiting: number;
  idle: number;
  /** Of it, on nodes that hold nothing. */
  onEmptyNodes: number;
  /** Of it, where some waiting job would fit on what is free by count of nodes and GPUs alone. */
  fitting: number;
  /** By class and shape, `Pretrain 16 x 8`. */
  readonly waiters: Map<string, Waiter>;
}

export interface Waiter {
  /** Over all looks. */
  jobs: number;
  gpus: number;
  /** Looks at which it was there and as many GPUs were idle as it wants. */
  enoughIdle: number;
  readonly reasons: Map<string, number>;
}

export class IdleProbe {
  readonly sum: IdleSum = { looks: 0, waiting: 0, idle: 0, onEmptyNodes: 0, fitting: 0, waiters: new Map() };
  #nextMs = 0;
  #waits: StepResult['waits'] = null;

  onStep(state: StateView, result: StepResult, nowMs: number): void {
    this.#waits = result.waits ?? this.#waits;
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + everyMs;
    const { sum } = this;
    sum.looks += 1;
    if (state.pending.length === 0) return;
    sum.waiting += 1;
    const free = [...state.nodes.values()].map(freeGpus);
    const idle = free.reduce((total, { gpus }) => total + gpus, 0);
    sum.idle += idle;
    sum.onEmptyNodes += free.reduce((total, { gpus, isEmpty }) => total + (isEmpty ? gpus : 0), 0);
    let fitting = false;
    for (const uid of state.pending) {
      const job = state.jobs.get(uid);
      if (job === undefined) continue;
      const { workers, gpusPerWorker } = atLeast(job).spec;
      if (free.reduce((slots, { gpus }) => slots + Math.floor(gpus / gpusPerWorker), 0) >= workers) fitting = true;
      this.#noteWaiter(job, idle);
    }
    if (fitting) sum.fitting += idle;
  }

  #noteWaiter(job: JobView, idle: number): void {
    const { workers, gpusPerWorker } = atLeast(job).spec;
    const key = `${job.labels['class'] ?? job.spec.queue} ${workers} x ${gpusPerWorker}`;
    const waiter = this.sum.waiters.get(key) ?? { jobs: 0, gpus: 0, enoughIdle: 0, reasons: new Map<string, number>() };
    this.sum.waiters.set(key, waiter);
    waiter.jobs += 1;
    waiter.gpus += workers * gpusPerWorker;
    if (idle >= workers * gpusPerWorker) waiter.enoughIdle += 1;
    const reason = this.#waits?.get(job.uid)?.kind ?? 'not looked at yet';
    waiter.reasons.set(reason, (waiter.reasons.get(reason) ?? 0) + 1);
  }
}

function freeGpus(node: NodeView): { readonly gpus: number; readonly isEmpty: boolean } {
  if (node.availability.kind !== 'ready' || node.cordon !== null) return { gpus: 0, isEmpty: false };
  let gpus = 0;
  for (const [index, { healthy }] of node.health.entries()) if (healthy && isWhollyFree(node, index)) gpus += 1;
  return { gpus, isEmpty: gpus === node.inventory.gpus.length };
}
