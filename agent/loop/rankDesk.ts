/** Answers what programs ask over the workload API, out of the loop's state. */
import { workerKey } from '#vocabulary/job.ts';
import type { ObservedCheckpoint, ObservedProgress } from '#vocabulary/observed.ts';
import { resolveLaunch } from '../core/environment.ts';
import { findRankRecord, type RankRecord, type WorkerRecord } from '../core/nodeState.ts';
import { onCheckpoint, onProgress, onReleased, onSuspendPoll, onWithdrawn } from '../core/onProgram.ts';
import { absolutePath } from '../core/paths.ts';
import { selfView, suspensionView, type SelfView, type SuspensionView } from '../core/selfView.ts';
import { judgeStep } from '../core/suspend.ts';
import { limits } from '../limits.ts';
import type { Clock } from '../ports/clock.ts';
import type { Answer, Caller, CheckpointReply, StepReply, WorkloadDesk } from '../ports/workload.ts';
import type { NodeLoop } from './nodeLoop.ts';
import { waitUntil, type Waiting } from './waitUntil.ts';

export interface DeskParts {
  readonly loop: NodeLoop;
  readonly clock: Clock;
  readonly workFolder: string;
  /** Receipts of the controller: the version up to which all is durable there, and when it grows. */
  readonly receipts: { acknowledged(): number; onAcknowledged(listener: () => void): () => void };
}

export class RankDesk implements WorkloadDesk {
  readonly #parts: DeskParts;

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  ranksOf(id: Caller['id']): readonly number[] {
    return (
      this.#parts.loop
        .state()
        .workers.get(workerKey(id))
        ?.ranks.map(({ rank }) => rank) ?? []
    );
  }

  self(from: Caller): Answer<SelfView> {
    const found = this.#find(from);
    if (!found.ok) return found;
    const { worker, rank } = found.value;
    return { ok: true, value: selfView(worker, resolveLaunch(worker.launch, this.#parts.workFolder), rank) };
  }

  async progress(from: Caller, progress: ObservedProgress, signal: AbortSignal): Promise<Answer<StepReply>> {
    const { loop } = this.#parts;
    const found = this.#find(from);
    if (!found.ok) return found;
    const last = found.value.rank.progress?.step;
    if (last !== undefined && progress.step < last) return backwards(progress.step, `step ${last} was reported before`);
    loop.change((state) => onProgress(state, from.id, from.rank, progress));
    const reply = await waitUntil(this.#changes(null, signal), () => this.#judge(from, progress.step));
    loop.change((state) => onWithdrawn(state, from.id, from.rank, progress.step));
    return reply ?? gone('the request was withdrawn');
  }

  async checkpoint(from: Caller, checkpoint: ObservedCheckpoint, signal: AbortSignal): Promise<Answer<CheckpointReply>> {
    const { loop, clock } = this.#parts;
    const found = this.#find(from);
    if (!found.ok) return found;
    const last = found.value.rank.checkpoint;
    if (last !== null && checkpoint.step < last.step)
      return backwards(checkpoint.step, `a checkpoint of step ${last.step} was reported before`);
    const launch = resolveLaunch(found.value.worker.launch, this.#parts.workFolder);
    const kept = { ...checkpoint, path: absolutePath(launch.workingDirectory, checkpoint.path) };
    loop.change((state) => onCheckpoint(state, from.id, from.rank, kept));
    const untilMs = clock.nowMs() + limits.checkpointReceiptMs;
    const version = await waitUntil(this.#durability(untilMs, signal), () => this.#versionWith(from, kept));
    if (version === null)
      return { ok: false, kind: 'unavailable', field: '', message: 'the agent cannot write its journal now; try again' };
    const receipt = await waitUntil(this.#receipts(untilMs, signal), () => (this.#parts.receipts.acknowledged() >= version ? true : null));
    return { ok: true, value: { committed: receipt === true } };
  }

  async suspension(
    from: Caller,
    known: { readonly round: number; readonly waitMs: number },
    signal: AbortSignal,
  ): Promise<Answer<SuspensionView>> {
    const { loop, clock } = this.#parts;
    loop.change((state) => onSuspendPoll(state, from.id, from.rank));
    const untilMs = clock.nowMs() + Math.min(known.waitMs, limits.suspendWaitMsMax);
    const changed = await waitUntil(this.#changes(untilMs, signal), () => {
      const view = this.#view(from);
      return !view.ok || view.value.decided || view.value.round !== known.round ? view : null;
    });
    return changed ?? this.#view(from);
  }

  #view(from: Caller): Answer<SuspensionView> {
    const found = this.#find(from);
    return found.ok ? { ok: true, value: suspensionView(found.value.worker, this.#parts.clock.nowMs()) } : found;
  }

  /** The answer to a posted step, once there is one. Saying "go on" and remembering it happen together. */
  #judge(from: Caller, step: number): Answer<StepReply> | null {
    const found = this.#find(from);
    if (!found.ok) return found;
    const verdict = judgeStep(found.value.worker, found.value.rank, step);
    switch (verdict.kind) {
      case 'hold':
        return null;
      case 'stop':
        return { ok: true, value: { stop: true, stopStep: verdict.stopStep } };
      case 'go':
        this.#parts.loop.change((state) => onReleased(state, from.id, from.rank, step));
        return { ok: true, value: { stop: false, stopStep: null } };
    }
  }

  /** The version of the durable state once it holds this checkpoint, or a later one. */
  #versionWith(from: Caller, checkpoint: ObservedCheckpoint): number | null {
    const { state, version } = this.#parts.loop.durable();
    const worker = state.workers.get(workerKey(from.id));
    const durable = worker === undefined ? undefined : findRankRecord(worker, from.rank)?.checkpoint;
    return durable !== undefined && durable !== null && durable.step >= checkpoint.step ? version : null;
  }

  #find({ id, rank }: Caller): Answer<{ readonly worker: WorkerRecord; readonly rank: RankRecord }> {
    const worker = this.#parts.loop.state().workers.get(workerKey(id));
    if (worker === undefined || worker.end.kind === 'ended') return gone(`worker ${workerKey(id)} does not run here`);
    const found = findRankRecord(worker, rank);
    if (found === undefined)
      return { ok: false, kind: 'invalid', field: 'X-Shoal-Rank', message: `${rank} is no rank of worker ${workerKey(id)}` };
    return { ok: true, value: { worker, rank: found } };
  }

  #changes(untilMs: number | null, signal: AbortSignal): Waiting {
    const { loop, clock } = this.#parts;
    return { subscribe: (listener) => loop.onChange(listener), clock, untilMs, signal };
  }

  #durability(untilMs: number, signal: AbortSignal): Waiting {
    const { loop, clock } = this.#parts;
    return { subscribe: (listener) => loop.onDurable(listener), clock, untilMs, signal };
  }

  #receipts(untilMs: number, signal: AbortSignal): Waiting {
    const { receipts, clock } = this.#parts;
    return { subscribe: (listener) => receipts.onAcknowledged(listener), clock, untilMs, signal };
  }
}

const backwards = (step: number, why: string): Answer<never> => ({
  ok: false,
  kind: 'invalid',
  field: 'step',
  message: `${step} goes back: ${why}`,
});

const gone = (message: string): Answer<never> => ({ ok: false, kind: 'gone', field: '', message });
