import type { ReplayJob } from '../replayJob.ts';
import type { Policy } from './policy.ts';
import { attainedServicePolicy, preemptivePolicy } from './preemptive.ts';
import { queuePolicy } from './queue.ts';
import { shoalClassesPolicy, shoalPolicy } from './shoal.ts';

const bySubmission = { key: () => 0, order: 'submission' };
const byPriority = { key: ({ priority }: ReplayJob) => -priority, order: 'priority' };

/** Every policy that `--policy` knows. */
export const policies = {
  shoal: shoalPolicy,
  'shoal-classes': shoalClassesPolicy,
  fifo: queuePolicy({ ...bySubmission, behindTheHead: 'strict' }),
  'fifo-skip': queuePolicy({ ...bySubmission, behindTheHead: 'skip' }),
  easy: queuePolicy({ ...bySubmission, behindTheHead: 'backfill' }),
  'prio-fifo': queuePolicy({ ...byPriority, behindTheHead: 'strict' }),
  'prio-easy': queuePolicy({ ...byPriority, behindTheHead: 'backfill' }),
  'prio-evict': queuePolicy({ ...byPriority, behindTheHead: 'backfill', evictsFromPriority: 3 }),
  sjf: queuePolicy({ key: ({ estimateS }) => estimateS, order: 'estimate', behindTheHead: 'strict' }),
  'sjf-skip': queuePolicy({ key: ({ estimateS }) => estimateS, order: 'estimate', behindTheHead: 'skip' }),
  'ssf-skip': queuePolicy({ key: ({ estimateS, gpus }) => estimateS * gpus, order: 'estimate x GPUs', behindTheHead: 'skip' }),
  srtf: preemptivePolicy('remaining time', (job, cluster) => cluster.remainingS(job)),
  srsf: preemptivePolicy('remaining time x GPUs', (job, cluster) => cluster.remainingS(job) * job.gpus),
  /** The levels of the Tiresias code. */
  las: attainedServicePolicy([3_250, 7_200]),
  las5: attainedServicePolicy([3_600, 36_000, 360_000, 3_600_000]),
} as const satisfies Readonly<Record<string, Policy>>;

export type PolicyName = keyof typeof policies;

export function isPolicyName(name: string): name is PolicyName {
  return Object.hasOwn(policies, name);
}
