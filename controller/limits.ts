import { assert } from '#vocabulary/assert.ts';
import type { Policy } from '#core/context.ts';
import { defaultLevels } from '#vocabulary/topology.ts';

/** Every bound of the controller, in one place; docs/reference/limits.md says them to users. */
export const limits = {
  /** Requests and reports that wait for the loop. */
  inboxMax: 20_000,
  /** Inputs of one step, and so of one commit. */
  batchMax: 5_000,
  documentsPerApplyMax: 5_000,
  /** Jobs that the documents of one call ask for, those of arrays counted. */
  jobsPerApplyMax: 20_000,
  manifestBytesMax: 8 * 2 ** 20,
  /** Messages to one agent that it has not taken yet. */
  sessionMessagesMax: 1_000,
  /** Pieces of logs between agents and one reader. */
  logPiecesMax: 64,
  logReadersMax: 256,
  /** Changes kept so that watches can resume. */
  changesMax: 100_000,
  /** Events between two snapshots. */
  snapshotEvery: 50_000,
  storeProbeMs: 1_000,
  tickMs: 1_000,
  heartbeatMs: 2_000,
  /** Silence after which a node is lost. */
  nodeLostAfterMs: 8_000,
  silencePeriodMs: 500,
  joinTokenSecondsDefault: 900,
  joinTokenSecondsMax: 86_400,
  /** Nothing committed for so long is quiet; two looks apart, so garbage goes after 10 to 20 s. */
  quietMs: 10_000,
  /** A full collection stops the controller for some 2 ms a MiB that lives: none beyond this. */
  quietHeapBytesMax: 64 * 2 ** 20,
  /** How long a controller waits for the one before it to end. */
  leaseWaitMs: 5_000,
} as const;

export const defaultPolicy: Policy = {
  levels: defaultLevels,
  failureGraceMs: 2_000,
  progressRecordMs: 2_000,
  suspendMarginMs: 500,
  coordinatorPorts: { first: 24_000, count: 5_000 },
  restartCostMs: 60_000,
  avoidFailedMs: 3_600_000,
  timeSlicing: true,
  attainedLevels: { firstMs: 3_600_000, factor: 4, count: 10 },
  declaredRuntimeMaxMs: 24 * 3_600_000,
  overdueAfterMs: 7 * 24 * 3_600_000,
  overdueRunMs: 3_600_000,
  victimSearchesPerPassMax: 16,
  moveBudgetMs: 600_000,
  moveSearchesPerPassMax: 4,
  moveSearchPauseMs: 5_000,
  movesPerPlanMax: 256,
  growAfterIdleMs: 5 * 60_000,
  growRestMs: 10 * 60_000,
  growPercentMin: 25,
  growPaybackMs: 30 * 60_000,
  growSearchesPerPassMax: 16,
  stopSlackMs: 5_000,
  reservationsPerQueue: 1,
  reservationsMax: 32,
  targetAfterMs: 60 * 60_000,
  targetGpusMin: 8,
  targetsMax: 1,
  placementsPerStepMax: 5_000,
  jobsMax: 200_000,
  finishedJobsMax: 50_000,
  recentEventsMax: 10_000,
};

assert(limits.inboxMax >= limits.documentsPerApplyMax + limits.batchMax, 'a full apply fits into the inbox beside a batch');
assert(limits.nodeLostAfterMs >= limits.heartbeatMs * 3, 'a node is not lost for two late heartbeats');
assert(limits.nodeLostAfterMs + 2 * limits.silencePeriodMs <= 10_000, 'a lost node is declared lost within 10 s');
assert(defaultPolicy.jobsMax > defaultPolicy.finishedJobsMax, 'finished jobs leave room for others');
