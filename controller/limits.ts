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
  /** Changes that one what-if may be about. */
  changesPerForecastMax: 1_000,
  /** Plans and forecasts at a time, all callers together. */
  forecastsMax: 4,
  /** The thread for them, and its copy of the state, go when nobody has asked for so long. */
  forecastIdleMs: 5 * 60_000,
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
  bandwidths: {},
  // As many as there may be jobs: no bound. Most clusters are one zone, and who has few links between several must know how few.
  crossZoneJobsMax: 200_000,
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
  reservationObjectsMax: 256,
  targetAfterMs: 60 * 60_000,
  targetGpusMin: 8,
  targetsMax: 1,
  estimatesEveryMs: 15_000,
  // Llama 3 on 16,384 H100: 419 unexpected interruptions in 54 days (arXiv:2407.21783, table 5) are 19.7 per million GPU-hours.
  // Nine repairs of ten take half an hour, the tenth five days: 12.45 hours in the mean.
  spares: {
    level: '',
    nodes: 0,
    segmentNodes: 1,
    failuresPerMillionGpuHours: 19.7,
    repairMs: 44_820_000,
    emptyChance: 0.01,
    graceMs: 30_000,
  },
  defrag: { everyMs: 0, fromMs: 0, untilMs: 24 * 3_600_000, movesMax: 32, costMs: 600_000, gainGpusMin: 1 },
  placementsPerStepMax: 5_000,
  jobsMax: 200_000,
  finishedJobsMax: 50_000,
  recentEventsMax: 10_000,
};

assert(limits.inboxMax >= limits.documentsPerApplyMax + limits.batchMax, 'a full apply fits into the inbox beside a batch');
assert(limits.nodeLostAfterMs >= limits.heartbeatMs * 3, 'a node is not lost for two late heartbeats');
assert(limits.nodeLostAfterMs + 2 * limits.silencePeriodMs <= 10_000, 'a lost node is declared lost within 10 s');
assert(defaultPolicy.crossZoneJobsMax >= defaultPolicy.jobsMax, 'by default no job is kept inside a zone');
assert(defaultPolicy.jobsMax > defaultPolicy.finishedJobsMax, 'finished jobs leave room for others');
