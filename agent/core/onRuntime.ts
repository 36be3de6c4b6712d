/** What the runtime told of processes, taken over into the state. */
import { assertNever } from '#vocabulary/assert.ts';
import type { WorkerId } from '#vocabulary/job.ts';
import type { WorkerEnd } from '#vocabulary/observed.ts';
import { withRank, withWorker } from './applyAction.ts';
import { hasFailed, type NodeState, type RankLife, type RankRecord, type WorkerRecord } from './nodeState.ts';

/** How a try to start a rank, or a search for it, came out. */
export type RankFate =
  | { readonly kind: 'alive'; readonly pid: number }
  | { readonly kind: 'ended'; readonly exitCode: number | null; readonly signal: string | null }
  | { readonly kind: 'never-started' }
  | { readonly kind: 'failed'; readonly message: string };

/** An end is final: whatever arrives later about the same rank changes nothing. */
export function onRankFate(state: NodeState, id: WorkerId, rank: number, fate: RankFate): NodeState {
  return withRank(state, id, rank, (record) => {
    if (record.life.kind === 'ended' || record.life.kind === 'never-ran') return record;
    return { ...record, life: lifeOf(record.life, fate) };
  });
}

function lifeOf(before: RankLife, fate: RankFate): RankLife {
  switch (fate.kind) {
    case 'alive':
      return { kind: 'running', pid: fate.pid };
    case 'ended':
      return { kind: 'ended', exitCode: fate.exitCode, signal: fate.signal };
    // One that is known to have run and of which the runtime knows nothing has lost its traces.
    case 'never-started':
      return before.kind === 'running' ? { kind: 'ended', exitCode: null, signal: null } : { kind: 'pending' };
    case 'failed':
      return { kind: 'never-ran', message: fate.message };
    default:
      return assertNever(fate);
  }
}

const againMsMin = 100;
const againMsMax = 2000;

/** The answer to a `confirm` action. The first time the tree is found alive it is killed at once. */
export function onTreeSeen(state: NodeState, id: WorkerId, seen: { readonly alive: boolean; readonly nowMs: number }): NodeState {
  return withWorker(state, id, (worker) => {
    if (worker.end.kind !== 'confirming') return worker;
    if (!seen.alive) return { ...worker, end: { kind: 'ended', ...judgeEnd(worker) }, ranks: worker.ranks.map(withoutWait) };
    const { tries } = worker.end;
    const delayMs = tries === 0 ? 0 : Math.min(againMsMax, againMsMin * 2 ** (tries - 1));
    return { ...worker, end: { kind: 'lingering', tries: tries + 1, againAtMs: seen.nowMs + delayMs } };
  });
}

const withoutWait = (rank: RankRecord): RankRecord => (rank.pendingStep === null ? rank : { ...rank, pendingStep: null });

/** Why the worker ended: the first cause in time, as far as it is known. */
function judgeEnd({ ranks, leaving }: WorkerRecord): { readonly reason: WorkerEnd; readonly message: string } {
  for (const { rank, life } of ranks) {
    if (life.kind === 'never-ran') return { reason: 'launch-failed', message: `rank ${rank}: ${life.message}` };
  }
  if (leaving.kind !== 'no' && leaving.cause === 'asked') {
    return { reason: 'killed', message: leaving.kind === 'killing' ? 'ended by SIGKILL as asked' : 'ended after SIGTERM as asked' };
  }
  // Others of a failed rank were killed by the agent: the one that tells a status of its own is the cause.
  const failed = ranks.filter(({ life }) => hasFailed(life));
  const cause = failed.find(({ life }) => life.kind === 'ended' && life.exitCode !== null) ?? failed.find(({ life }) => knownSignal(life));
  if (cause !== undefined) return { reason: 'exited', message: describeEnd(cause) };
  const [unknown] = failed;
  if (unknown !== undefined) return { reason: 'vanished', message: `rank ${unknown.rank} is gone; its exit status is not known` };
  return { reason: 'exited', message: '' };
}

const knownSignal = (life: RankLife): boolean => life.kind === 'ended' && life.signal !== null;

function describeEnd({ rank, life }: RankRecord): string {
  if (life.kind !== 'ended') return '';
  return life.exitCode === null
    ? `rank ${rank} was ended by ${life.signal ?? 'an unknown signal'}`
    : `rank ${rank} exited with status ${life.exitCode}`;
}

/** After another boot of the machine nothing that was started before is alive, and no status was kept. */
export function onOtherBoot(worker: WorkerRecord): WorkerRecord {
  if (worker.end.kind === 'ended') return worker;
  const gone = (rank: RankRecord): RankRecord =>
    rank.life.kind === 'ended' || rank.life.kind === 'never-ran'
      ? rank
      : { ...rank, life: { kind: 'ended', exitCode: null, signal: null } };
  const ranks = worker.ranks.map(gone);
  return { ...worker, ranks, end: { kind: 'ended', ...judgeEnd({ ...worker, ranks }) } };
}
