/**
 * How much of the cluster is held while work waits.
 *
 *   allocation while work waits = integral of held / integral of usable, over the time in which something waits
 *
 * held     GPUs that a job is charged for: from its placement until the last of its processes is gone, so launching, loading,
 *          saving and stopping count as held. They are told apart in the ledger.
 * usable   GPUs of nodes that are there and not cordoned, and that are healthy themselves. What is kept free for a job that
 *          was promised a place is usable and not held.
 * waits    A job wants GPUs and has none. However shortly: what is idle for the two seconds between a preemption and the
 *          placement it was made for counts as idle. Only what is placed in the very step that hears of it never waited.
 *
 * Beside it the same over the time in which some job waits that is not kept back by its own wish or its own queue's or
 * user's limit.
 */
import type { StepResult } from '#core/step.ts';
import type { StateView } from '#core/state/view.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';

export interface Allocation {
  /** Of the whole time. */
  readonly waitingMs: number;
  /** Over that time, GPU-milliseconds. */
  readonly usable: number;
  readonly held: number;
}

interface Standing {
  readonly usable: number;
  readonly held: number;
  readonly waits: boolean;
  readonly waitsForOthers: boolean;
}

/** Own wishes and limits: nobody else's GPUs would help. */
const ownReasons: ReadonlySet<WaitReason['kind']> = new Set([
  'QueueLimit',
  'UserLimit',
  'UserMaxRunning',
  'QueueHeld',
  'Held',
  'NotBefore',
  'Dependency',
  'DependencyNever',
  'ArrayParallelism',
  'NoSuchGpuModel',
]);

export class AllocationMeter {
  #now: Standing = { usable: 0, held: 0, waits: false, waitsForOthers: false };
  #sinceMs = 0;
  #waits: StepResult['waits'] = null;
  readonly #anything = { waitingMs: 0, usable: 0, held: 0 };
  readonly #others = { waitingMs: 0, usable: 0, held: 0 };
  readonly #all = { waitingMs: 0, usable: 0, held: 0 };

  onStep(state: StateView, result: StepResult, nowMs: number): void {
    this.#waits = result.waits ?? this.#waits;
    if (result.events.length === 0 && result.waits === null) return;
    this.#count(nowMs);
    const { capacityMilli, freeMilli } = state.ledger;
    const out = freeMilli.unhealthy + freeMilli.cordoned;
    const waits = state.pending.length > 0;
    this.#now = {
      usable: (capacityMilli - out) / gpuMilliPerGpu,
      held: (capacityMilli - out - freeMilli.idle - reservedMilli(state)) / gpuMilliPerGpu,
      waits,
      waitsForOthers: waits && this.#isShort(),
    };
  }

  #isShort(): boolean {
    for (const [, wait] of this.#waits ?? []) if (!ownReasons.has(wait.kind)) return true;
    return false;
  }

  #count(nowMs: number): void {
    const ms = nowMs - this.#sinceMs;
    this.#sinceMs = nowMs;
    if (ms <= 0) return;
    const { usable, held, waits, waitsForOthers } = this.#now;
    for (const [sum, counts] of [
      [this.#all, true],
      [this.#anything, waits],
      [this.#others, waitsForOthers],
    ] as const) {
      if (!counts) continue;
      sum.waitingMs += ms;
      sum.usable += usable * ms;
      sum.held += held * ms;
    }
  }

  /** Up to then; nothing is counted twice. */
  read(nowMs: number): { readonly all: Allocation; readonly whileAnythingWaits: Allocation; readonly whileOthersAreInTheWay: Allocation } {
    this.#count(nowMs);
    return { all: { ...this.#all }, whileAnythingWaits: { ...this.#anything }, whileOthersAreInTheWay: { ...this.#others } };
  }
}

/** What is kept free for those who wait. */
function reservedMilli(state: StateView): number {
  return state.pending.reduce((sum, uid) => sum + (state.jobs.get(uid)?.ledger.reservedMilli ?? 0), 0);
}
