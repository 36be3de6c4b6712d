import type { Context } from '#core/context.ts';
import { compileChanges } from '#core/forecast/changes.ts';
import type { Forecast } from '#core/forecast/forecast.ts';
import { openForecast } from '#core/forecast/openForecast.ts';
import type { Outlook } from '#core/forecast/outlook.ts';
import { outlookOf } from '#core/forecast/outlook.ts';
import type { Input } from '#core/inputs.ts';
import { explainPlan, planOn } from '#core/plan.ts';
import { forkState } from '#core/state/fork.ts';
import type { State } from '#core/state/state.ts';
import { assertNever } from '#vocabulary/assert.ts';
import { tellStart } from '#core/learn/startErrors.ts';
import type { Answer, Question, TimedPlan } from './questions.ts';

/** Lets others have their turn between two moments of a forecast. */
export type Breathe = () => Promise<void>;

/** `fork` is used up. */
export async function answer(fork: State, question: Question, context: Context, breathe: Breathe): Promise<Answer> {
  switch (question.kind) {
    case 'plan':
      return answerPlan(fork, question, context, breathe);
    case 'outlook':
      return answerOutlook(fork, question, context, breathe);
    case 'starts':
      return answerStarts(fork, context, breathe);
    default:
      return assertNever(question);
  }
}

async function answerStarts(fork: State, context: Context, breathe: Breathe): Promise<Answer> {
  const waiting = [...fork.pending];
  const forecast = openForecast(fork, context);
  forecast.offer([]);
  while (forecast.advance()) await breathe();
  const starts = waiting.flatMap((uid) => {
    const startMs = forecast.played.get(uid)?.startMs ?? null;
    return startMs === null ? [] : [{ uid, startMs }];
  });
  return { kind: 'starts', starts };
}

async function answerPlan(
  fork: State,
  { wanted, when }: Extract<Question, { kind: 'plan' }>,
  context: Context,
  breathe: Breathe,
): Promise<Answer> {
  const errors = { ratios: new Map(fork.startErrors.ratios) };
  const forecast = openForecast(fork, context);
  const plans = planOn(forecast, wanted, context).map((plan) => ({ ...plan, verdict: explainPlan(forecast, plan, context) }));
  const waiting = new Set(plans.flatMap(({ uid, decision }) => (uid === null || decision?.ok === true ? [] : [uid])));
  const isOpen = (): boolean => [...waiting].some((uid) => !forecast.played.has(uid));
  while (when && isOpen() && forecast.advance()) await breathe();
  const timed = plans.map((plan): TimedPlan => {
    const startMs = plan.uid === null || !waiting.has(plan.uid) ? null : (forecast.played.get(plan.uid)?.startMs ?? null);
    return { ...plan, start: startMs === null ? null : tellStart(errors, context.nowMs, startMs) };
  });
  return { kind: 'plans', plans: timed };
}

/** Both ways from the same moment, with the same run times: what differs comes of the changes. */
async function answerOutlook(
  fork: State,
  { changes }: Extract<Question, { kind: 'outlook' }>,
  context: Context,
  breathe: Breathe,
): Promise<Answer> {
  const compiled = compileChanges(fork, changes, context.policy);
  if (!compiled.ok) return { kind: 'refused', problems: compiled.problems };
  const other = changes.length === 0 ? null : forkState(fork);
  if (other !== null) other.movesFromMs = fork.movesFromMs;
  const before = await play(fork, [], context, breathe);
  if (other === null) return { kind: 'outlooks', before: before.outlook, after: null };
  const after = await play(other, compiled.inputs, context, breathe);
  const problems = after.replies.flatMap((reply, at) =>
    reply.kind === 'refused' ? [{ change: compiled.changeOf[at] ?? 0, message: reply.message }] : [],
  );
  return problems.length > 0 ? { kind: 'refused', problems } : { kind: 'outlooks', before: before.outlook, after: after.outlook };
}

async function play(
  fork: State,
  inputs: readonly Input[],
  context: Context,
  breathe: Breathe,
): Promise<{ readonly outlook: Outlook; readonly replies: ReturnType<Forecast['offer']> }> {
  const running = new Set([...fork.jobs.values()].flatMap(({ uid, phase }) => (phase.kind === 'active' ? [uid] : [])));
  const errors = { ratios: new Map(fork.startErrors.ratios) };
  const forecast = openForecast(fork, context);
  const replies = forecast.offer(inputs);
  const begun = { running, errors, atMs: forecast.nowMs };
  if (replies.some(({ kind }) => kind === 'refused')) return { outlook: outlookOf(forecast, begun), replies };
  while (forecast.advance()) await breathe();
  return { outlook: outlookOf(forecast, begun), replies };
}
