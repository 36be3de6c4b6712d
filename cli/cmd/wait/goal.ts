import type { Resource } from '#gen/shoal/v1/control_pb.js';
import { CliError } from '../../cliError.ts';
import { exitCodes } from '../../exitCodes.ts';
import { didYouMean } from '#vocabulary/didYouMean.ts';

/** What is waited for. Phases of jobs and states of nodes are one list of words: no word means two things. */
export type Goal =
  | { readonly kind: 'delete' }
  | { readonly kind: 'phase'; readonly anyOf: readonly string[]; readonly said: 'condition' | 'phase' };

const jobPhases = ['Pending', 'Starting', 'Running', 'Suspending', 'Stopping', 'Suspended', 'Succeeded', 'Failed'];
const nodeStates = ['Ready', 'Lost', 'Returning'];
const conditions: Readonly<Record<string, readonly string[]>> = {
  Succeeded: ['Succeeded'],
  Complete: ['Succeeded'],
  Failed: ['Failed'],
  Finished: ['Succeeded', 'Failed'],
  Running: ['Running'],
  Suspended: ['Suspended'],
  Ready: ['Ready'],
};

export function parseGoal(text: string): Goal {
  if (text === 'delete') return { kind: 'delete' };
  const [, said, word = ''] = /^(condition|phase)=(\w+)$/.exec(text) ?? [];
  if (said !== 'condition' && said !== 'phase') {
    throw new CliError(exitCodes.usage, `error: --for "${text}" is not known; use condition=Succeeded, phase=Running or delete`);
  }
  const known = said === 'condition' ? Object.keys(conditions) : [...jobPhases, ...nodeStates];
  const found = known.find((each) => each.toLowerCase() === word.toLowerCase());
  if (found !== undefined) return { kind: 'phase', said, anyOf: said === 'condition' ? (conditions[found] ?? []) : [found] };
  const near = didYouMean(word, known);
  throw new CliError(
    exitCodes.usage,
    `error: ${said} "${word}" is not known; known: ${known.join(', ')}`,
    near === undefined ? [] : [`Did you mean "${near}"?`],
  );
}

export type Verdict =
  | { readonly kind: 'met' }
  | { readonly kind: 'not yet' }
  | { readonly kind: 'never'; readonly phase: string; readonly why: string };

/** A finished job never changes again: what it has not reached by then it never will. */
export function judge(goal: Goal, { object }: Resource): Verdict {
  if (goal.kind === 'delete') return { kind: 'not yet' };
  if (object.case === 'node') return { kind: goal.anyOf.includes(object.value.status?.state ?? '') ? 'met' : 'not yet' };
  if (object.case !== 'trainingJob') return { kind: 'not yet' };
  const { phase = '', reason = '', message = '' } = object.value.status ?? {};
  if (goal.anyOf.includes(phase)) return { kind: 'met' };
  const over = phase === 'Succeeded' || phase === 'Failed';
  return over ? { kind: 'never', phase, why: [reason, message].filter((each) => each !== '').join(': ') } : { kind: 'not yet' };
}
