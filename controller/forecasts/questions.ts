import type { Policy } from '#core/context.ts';
import type { Change, ChangeProblem } from '#core/forecast/changes.ts';
import type { Outlook } from '#core/forecast/outlook.ts';
import type { ToldStart } from '#core/learn/startErrors.ts';
import type { Plan, Wanted } from '#core/plan.ts';
import type { JobUid, Revision } from '#vocabulary/ids.ts';
import type { Verdict } from '#vocabulary/verdict.ts';

/** What is asked of a copy of the cluster's state. Questions and answers are plain data: they go to a thread and back. */
export type Question =
  /** What applying these would come to now; with `when`, also when those start that must wait. */
  | { readonly kind: 'plan'; readonly wanted: readonly Wanted[]; readonly when: boolean }
  /** How the queue goes to its end, as things are and with these changes. */
  | { readonly kind: 'outlook'; readonly changes: readonly Change[] }
  /** When those start that wait. */
  | { readonly kind: 'starts' };

export type Answer =
  | { readonly kind: 'plans'; readonly plans: readonly TimedPlan[] }
  /** `after` null: no changes were asked for. */
  | { readonly kind: 'outlooks'; readonly before: Outlook; readonly after: Outlook | null }
  /** Of those that start as far as is known. */
  | { readonly kind: 'starts'; readonly starts: readonly { readonly uid: JobUid; readonly startMs: number }[] }
  | { readonly kind: 'refused'; readonly problems: readonly ChangeProblem[] };

export interface TimedPlan extends Plan {
  /** When the job starts that would have to wait; null: it starts now, does not start as far as is known, or nobody asked. */
  readonly start: ToldStart | null;
  /** Why it would have to wait; null: it would not. */
  readonly verdict: Verdict | null;
}

/** The moment that a question is about. */
export interface Moment {
  readonly revision: Revision;
  readonly nowMs: number;
  /** As the leader has it, since it is not in the log: moves are not looked for before. */
  readonly movesFromMs: number;
}

/** What the thread is told, and what it tells. */
export type ToThread =
  /** First of all. */
  | { readonly kind: 'begin'; readonly policy: Policy }
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question; readonly moment: Moment }
  | { readonly kind: 'snapshot'; readonly body: string | null }
  | { readonly kind: 'lines'; readonly lines: readonly string[] }
  | { readonly kind: 'unreadable'; readonly message: string };

export type FromThread =
  | { readonly kind: 'wantSnapshot' }
  | { readonly kind: 'wantLines'; readonly after: Revision }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: Answer }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string };
