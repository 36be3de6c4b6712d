import type { UserName } from '#vocabulary/ids.ts';
import type { Context, DefragPolicy } from '../../context.ts';
import { askToLeave } from '../../jobs/stop.ts';
import type { StateView } from '../../state/view.ts';
import type { Turn } from '../../turn.ts';
import { lookBesidePromises } from '../pass.ts';
import type { DefragPlan } from './defragPlan.ts';
import { planDefrag } from './planDefrag.ts';

/** What would be moved now, by the functions that move for real; nothing changes. `movesMax` null: as the policy has it. */
export function planDefragNow(state: StateView, context: Context, movesMax: number | null): DefragPlan {
  const policy = context.policy.defrag;
  const dry: Turn = { state, context, emit: () => undefined };
  return lookBesidePromises(dry, (quiet) => planDefrag(quiet, { ...policy, movesMax: movesMax ?? policy.movesMax }));
}

/** Asks those to move that the plan names: the places where they start again are kept for them from now on. `by` null: it was due. */
export function defrag(turn: Turn, by: UserName | null, movesMax: number | null): DefragPlan {
  const plan = planDefragNow(turn.state, turn.context, movesMax);
  if (plan.moves.length === 0) return plan;
  const moves = plan.moves.map(({ uid, placement, model, costMs }) => ({ uid, placement, model, costMs }));
  turn.emit({ kind: 'MovesAsked', by, moves });
  for (const { uid } of moves) {
    const job = turn.state.jobs.get(uid);
    if (job !== undefined) askToLeave(turn, job, 'Moved');
  }
  return plan;
}

/** If it is due. When it is due next; null: never. `dueMs`: what this said last. */
export function defragWhenDue(turn: Turn, dueMs: number | null): number | null {
  const { nowMs, policy } = turn.context;
  if (dueMs !== null && nowMs >= dueMs) defrag(turn, null, null);
  return dueMs !== null && nowMs < dueMs ? dueMs : nextDefragMs(policy.defrag, nowMs);
}

const dayMs = 86_400_000;

/** The first multiple of `everyMs` after a time that lies in the window of its day, UTC; null: there is none. */
export function nextDefragMs({ everyMs, fromMs, untilMs }: DefragPolicy, afterMs: number): number | null {
  if (everyMs === 0 || untilMs <= fromMs) return null;
  let atMs = (Math.floor(afterMs / everyMs) + 1) * everyMs;
  // A window that no multiple hits within so many tries is never hit soon enough to wait for it.
  for (let tries = 0; tries < triesMax; tries += 1) {
    const ofDayMs = atMs % dayMs;
    if (ofDayMs >= fromMs && ofDayMs < untilMs) return atMs;
    // On to the window, in whole steps.
    const waitMs = ofDayMs < fromMs ? fromMs - ofDayMs : dayMs - ofDayMs + fromMs;
    atMs += Math.max(1, Math.ceil(waitMs / everyMs)) * everyMs;
  }
  return null;
}

const triesMax = 1_000;
