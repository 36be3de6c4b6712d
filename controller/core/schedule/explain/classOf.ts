import type { WaitReason } from '#vocabulary/reasons.ts';
import type { VerdictClass } from '#vocabulary/verdict.ts';
import type { JobView } from '../../state/view.ts';
import { domainAbove } from '../capacity/topology.ts';
import { requestOf } from '../requestOf.ts';
import type { Around } from './atItsTurn.ts';
import type { JudgedNode } from './judgeNodes.ts';

interface Asked {
  readonly job: JobView;
  readonly wait: WaitReason;
  /** By all models that it accepts. */
  readonly judged: readonly JudgedNode[];
}

/** Whether it waits for its turn, for somebody, or in vain. */
export function classOf(around: Around, asked: Asked): VerdictClass {
  const { wait } = asked;
  switch (wait.kind) {
    case 'NoSuchGpuModel':
    case 'NoSuchGpuProfile':
    case 'DependencyNever':
      return 'ConfigurationFault';
    case 'Held':
    case 'QueueHeld':
      return 'NeedsAction';
    case 'Dependency':
      return wait.state === null || wait.state === 'suspended' ? 'NeedsAction' : 'HonestWait';
    case 'QueueLimit':
    case 'UserLimit':
      return wait.wanted > wait.limit ? 'ConfigurationFault' : 'HonestWait';
    case 'UserMaxRunning':
      return wait.limit === 0 ? 'ConfigurationFault' : 'HonestWait';
    case 'InsufficientGpus':
    case 'LevelTooSmall':
      return classOfShortage(around, asked);
    case 'WaitingForVictims':
    case 'Reserved':
    case 'Reservation':
    case 'WaitingForTarget':
    case 'PassLimit':
    case 'NotBefore':
    case 'ArrayParallelism':
      return 'HonestWait';
  }
}

/** Segments and spread are not looked at: it may be worse than this says, never better. */
function classOfShortage(around: Around, { job, judged }: Asked): VerdictClass {
  const { workers } = job.spec;
  if (bestDomain(around, job, judged, ({ whenEmpty }) => whenEmpty) < workers) return 'ConfigurationFault';
  return bestDomain(around, job, judged, ({ whenFree }) => whenFree) < workers ? 'NeedsAction' : 'HonestWait';
}

/** Workers in the best domain of the level that it insists on. */
function bestDomain(
  { turn, cluster }: Around,
  job: JobView,
  judged: readonly JudgedNode[],
  workersOn: (node: JudgedNode) => number,
): number {
  const { requiredDepth } = requestOf(cluster, job, null, turn.context.nowMs);
  const { topology } = cluster.room.capacity;
  const sums = new Map<string, number>();
  for (const node of judged) {
    // All GPUs of a gang are of one model.
    const key = `${node.model ?? ''} ${domainAbove(topology, node.node, requiredDepth)}`;
    sums.set(key, (sums.get(key) ?? 0) + workersOn(node));
  }
  let best = 0;
  for (const workers of sums.values()) best = Math.max(best, workers);
  return best;
}
