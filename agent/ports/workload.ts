import type { SelfView, SuspensionView } from '../core/selfView.ts';
import type { WorkerId } from '#vocabulary/job.ts';
import type { ObservedCheckpoint, ObservedProgress } from '#vocabulary/observed.ts';

/** The sockets at which programs speak to their agent: one a worker. */
export interface WorkloadSockets {
  pathOf(id: WorkerId): string;
  /** Listens at `pathOf(id)`; a socket that an earlier agent left there is replaced. */
  open(id: WorkerId): Promise<void>;
  /** Ends what is open and removes the socket. No error when there is none. */
  close(id: WorkerId): Promise<void>;
}

/** Answers what programs ask. A rank that is not the worker's is refused by every method. */
export interface WorkloadDesk {
  /** Ranks of the worker, ascending; empty: not known (any more). */
  ranksOf(id: WorkerId): readonly number[];
  self(from: Caller): Answer<SelfView>;
  /** Held while a stop step that this step has reached is proposed and not yet decided. */
  progress(from: Caller, progress: ObservedProgress, signal: AbortSignal): Promise<Answer<StepReply>>;
  /** Answers when the controller has it durable, or with `committed` false after 5 s: the agent has, and goes on trying. */
  checkpoint(from: Caller, checkpoint: ObservedCheckpoint, signal: AbortSignal): Promise<Answer<CheckpointReply>>;
  /** At once when the stop step is decided or the round differs from the one that the caller knows, else when it does, or after `waitMs`. */
  suspension(
    from: Caller,
    known: { readonly round: number; readonly waitMs: number },
    signal: AbortSignal,
  ): Promise<Answer<SuspensionView>>;
}

export interface Caller {
  readonly id: WorkerId;
  readonly rank: number;
}

export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  /** invalid: the field is wrong. gone: the worker or rank is not (any longer) here. unavailable: the agent cannot store it now. */
  | { readonly ok: false; readonly kind: 'invalid' | 'gone' | 'unavailable'; readonly field: string; readonly message: string };

export interface StepReply {
  readonly stop: boolean;
  /** After which step; null when `stop` is false. */
  readonly stopStep: number | null;
}

export interface CheckpointReply {
  readonly committed: boolean;
}
