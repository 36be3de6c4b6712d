/**
 * What of the state outlives the agent, as a list of changes. Kept: what was admitted, started and ended, promises
 * (suspend answers, checkpoints), deadlines, the last assignment. Not kept: progress and open requests, which the
 * programs say again. `entriesBetween` and `restoreState` are each other's inverse up to that.
 */
import type { Assignment, Launch } from '#vocabulary/assignment.ts';
import { workerKey, type WorkerId } from '#vocabulary/job.ts';
import type { ObservedCheckpoint } from '#vocabulary/observed.ts';
import {
  emptyNodeState,
  newRankRecord,
  type EndRecord,
  type Leaving,
  type NodeState,
  type RankLife,
  type RankRecord,
  type Seen,
  type SuspendRecord,
  type WorkerRecord,
} from './nodeState.ts';

export type JournalEntry =
  | { readonly kind: 'seen'; readonly seen: Seen }
  | { readonly kind: 'assignment'; readonly assignment: Assignment }
  /** Whole in one entry: half an admission would be a worker without ranks, which looks like one that ended well. */
  | {
      readonly kind: 'admitted';
      readonly id: WorkerId;
      readonly gpus: readonly number[];
      readonly launch: Launch;
      readonly bootId: string;
      readonly kept: KeptWorker;
    }
  | { readonly kind: 'worker'; readonly id: WorkerId; readonly kept: KeptWorker }
  | { readonly kind: 'forgotten'; readonly key: string };

export const journalKinds: readonly string[] = ['seen', 'assignment', 'admitted', 'worker', 'forgotten'];

export interface KeptWorker {
  readonly ranks: readonly KeptRank[];
  readonly leaving: Leaving;
  readonly suspend: SuspendRecord | null;
  readonly end: EndRecord;
}

interface KeptRank {
  readonly rank: number;
  readonly life: RankLife;
  readonly checkpoint: KeptCheckpoint | null;
  readonly suspendAware: boolean;
  readonly answer: RankRecord['answer'];
  /** Some post was answered with "go on"; up to which step is told by the next post. */
  readonly wasReleased: boolean;
}

/** `tookMs` came after version 0.1. */
type KeptCheckpoint = Omit<ObservedCheckpoint, 'tookMs'> & Partial<Pick<ObservedCheckpoint, 'tookMs'>>;

/** What must be written so that the journal tells `next` where it told `before`. */
export function entriesBetween(before: NodeState, next: NodeState): readonly JournalEntry[] {
  if (before === next) return [];
  const entries: JournalEntry[] = [];
  if (before.seen.epoch !== next.seen.epoch || before.seen.generation !== next.seen.generation)
    entries.push({ kind: 'seen', seen: next.seen });
  if (next.assignment !== null && before.assignment !== next.assignment) entries.push({ kind: 'assignment', assignment: next.assignment });
  for (const [key, worker] of next.workers) entries.push(...workerEntries(before.workers.get(key), worker));
  for (const key of next.forgotten) {
    // One that was forgotten may be named again, and is then admitted as ended and forgotten a second time.
    const isGone = before.workers.has(key) && !next.workers.has(key);
    if (isGone || !before.forgotten.has(key)) entries.push({ kind: 'forgotten', key });
  }
  return entries;
}

/** The shortest journal of this state. */
export function entriesOf(state: NodeState): readonly JournalEntry[] {
  const forgotten = [...state.forgotten].map((key): JournalEntry => ({ kind: 'forgotten', key }));
  return [...forgotten, ...entriesBetween({ ...emptyNodeState, forgotten: state.forgotten }, state)];
}

function workerEntries(before: WorkerRecord | undefined, worker: WorkerRecord): readonly JournalEntry[] {
  if (before === worker) return [];
  const { id, gpus, launch, bootId } = worker;
  const kept = keep(worker);
  if (before === undefined) return [{ kind: 'admitted', id, gpus, launch, bootId, kept }];
  return JSON.stringify(keep(before)) === JSON.stringify(kept) ? [] : [{ kind: 'worker', id, kept }];
}

function keep({ ranks, leaving, suspend, end }: WorkerRecord): KeptWorker {
  return { ranks: ranks.map(keepRank), leaving, suspend, end: end.kind === 'ended' ? end : { kind: 'none' } };
}

/** A launch under way is kept as pending: the runtime is asked what came of it. */
function keepRank({ rank, life, checkpoint, suspendAware, answer, released }: RankRecord): KeptRank {
  const keptLife: RankLife = life.kind === 'launching' ? { kind: 'pending' } : life;
  return { rank, life: keptLife, checkpoint, suspendAware, answer, wasReleased: released.kind !== 'none' };
}

/** The state that these entries tell, in their order. Its assignment is not confirmed. */
export function restoreState(entries: Iterable<JournalEntry>): NodeState {
  let { seen, assignment } = emptyNodeState;
  const workers = new Map<string, WorkerRecord>();
  const forgotten = new Set<string>();
  for (const entry of entries) {
    switch (entry.kind) {
      case 'seen':
        seen = entry.seen;
        break;
      case 'assignment':
        assignment = entry.assignment;
        break;
      case 'admitted':
        workers.set(workerKey(entry.id), restoreWorker(entry, entry.kept));
        break;
      case 'worker': {
        const worker = workers.get(workerKey(entry.id));
        if (worker !== undefined) workers.set(workerKey(entry.id), restoreWorker(worker, entry.kept));
        break;
      }
      case 'forgotten':
        workers.delete(entry.key);
        forgotten.add(entry.key);
        break;
    }
  }
  return { seen, assignment, confirmed: false, workers, forgotten };
}

function restoreWorker(
  { id, gpus, launch, bootId }: Pick<WorkerRecord, 'id' | 'gpus' | 'launch' | 'bootId'>,
  kept: KeptWorker,
): WorkerRecord {
  return { id, gpus, launch, bootId, ...kept, ranks: kept.ranks.map(restoreRank) };
}

function restoreRank({ rank, life, checkpoint: kept, suspendAware, answer, wasReleased }: KeptRank): RankRecord {
  const checkpoint = kept === null ? null : { ...kept, tookMs: kept.tookMs ?? null };
  return { ...newRankRecord(rank), life, checkpoint, suspendAware, answer, released: { kind: wasReleased ? 'unknown' : 'none' } };
}
