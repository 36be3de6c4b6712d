import type { JobName, JobUid, NodeName, QueueName, ReservationName, UserName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import type { QueueSpec } from '#vocabulary/queue.ts';
import type { ReservationSpec } from '#vocabulary/reservation.ts';
import type { Hello, Report } from '#vocabulary/session.ts';
import type { Labels, TokenFacts } from './events.ts';
import type { DefragPlan } from './schedule/defrag/defragPlan.ts';

/** What reaches the core: requests, already authorized and decoded, observations, and time passing. */
export type Input = Request | Observation;

export type Request =
  | {
      readonly kind: 'applyJob';
      readonly name: JobName;
      /** Made by the caller, used if the job is new: the core has no randomness. */
      readonly uid: JobUid;
      readonly user: UserName;
      readonly labels: Labels;
      readonly annotations: Labels;
      /** With `array`: that many jobs, all or none. */
      readonly spec: JobSpec;
    }
  | { readonly kind: 'applyQueue'; readonly name: QueueName; readonly labels: Labels; readonly spec: QueueSpec }
  | {
      readonly kind: 'applyReservation';
      readonly name: ReservationName;
      readonly user: UserName;
      readonly labels: Labels;
      readonly spec: ReservationSpec;
    }
  /** Exactly there, or refused: how a scenario sets up a state. */
  | {
      readonly kind: 'placeJob';
      readonly name: JobName;
      readonly places: readonly { readonly node: NodeName; readonly workers: number }[];
    }
  | { readonly kind: 'deleteJob'; readonly name: JobName; readonly user: UserName; readonly now: boolean }
  | { readonly kind: 'deleteQueue'; readonly name: QueueName }
  | { readonly kind: 'deleteReservation'; readonly name: ReservationName; readonly user: UserName }
  | { readonly kind: 'suspendJob'; readonly name: JobName; readonly user: UserName }
  | { readonly kind: 'resumeJob'; readonly name: JobName; readonly user: UserName }
  /** Keeps it from starting, in its place; one that runs is held when it waits again. */
  | { readonly kind: 'holdJob'; readonly name: JobName; readonly user: UserName }
  | { readonly kind: 'releaseJob'; readonly name: JobName; readonly user: UserName }
  /** Before all others that wait, until it is placed. */
  | { readonly kind: 'nextJob'; readonly name: JobName; readonly user: UserName }
  /** 0..100. */
  | { readonly kind: 'prioritizeJob'; readonly name: JobName; readonly user: UserName; readonly priority: number }
  | { readonly kind: 'cordonNode'; readonly node: NodeName; readonly user: UserName; readonly reason: string; readonly drain: boolean }
  | { readonly kind: 'uncordonNode'; readonly node: NodeName; readonly user: UserName }
  /** Moves jobs so that free room lies together. `movesMax` null: as the policy has it. */
  | { readonly kind: 'defrag'; readonly user: UserName; readonly movesMax: number | null }
  | { readonly kind: 'issueToken'; readonly token: TokenFacts }
  | { readonly kind: 'redeemJoinToken'; readonly id: string; readonly secretHash: string; readonly node: NodeName };

export type Observation =
  | { readonly kind: 'createCluster'; readonly clusterId: string }
  | { readonly kind: 'electLeader'; readonly version: string }
  | { readonly kind: 'hello'; readonly hello: Hello }
  | { readonly kind: 'report'; readonly node: NodeName; readonly report: Report }
  /** Nothing was heard of a node for so long. */
  | { readonly kind: 'nodeSilent'; readonly node: NodeName; readonly silentMs: number }
  /** A forecast of when waiting jobs start, made a moment ago. */
  | { readonly kind: 'startsForecast'; readonly starts: readonly { readonly uid: JobUid; readonly startMs: number }[] }
  /** Time passes: deadlines are looked at. */
  | { readonly kind: 'tick' };

/** The answer to one input, in the order of the inputs. Told to the caller only when the step's events are durable. */
export type Reply =
  | { readonly kind: 'applied'; readonly outcome: 'created' | 'configured' | 'unchanged'; readonly uid: string }
  | { readonly kind: 'changed'; readonly changed: boolean; readonly jobs: readonly JobName[]; readonly uid: string }
  | { readonly kind: 'refused'; readonly code: RefusalCode; readonly field: string; readonly message: string }
  | { readonly kind: 'defragged'; readonly plan: DefragPlan }
  | { readonly kind: 'noted' };

export type RefusalCode =
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'FAILED_PRECONDITION'
  | 'RESOURCE_EXHAUSTED'
  | 'UNAUTHENTICATED';
