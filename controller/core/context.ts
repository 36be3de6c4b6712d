import type { Levels } from '#vocabulary/topology.ts';

/** What a step may know besides state and inputs. */
export interface Context {
  /** Wall clock of the controller, milliseconds since 1970. Never goes back between steps. */
  readonly nowMs: number;
  readonly policy: Policy;
}

/** Cluster configuration that decisions depend on. */
export interface Policy {
  readonly levels: Levels;
  /** GB/s of one GPU in one direction, by what the traffic passes (schedule/mesh/linkSpeeds.ts); what is not given is by the GPU's model. */
  readonly bandwidths: Readonly<Record<string, number>>;
  /** Gangs that may stand in several domains of the outermost level at a time. */
  readonly crossZoneJobsMax: number;
  /** SIGTERM to SIGKILL when a gang is stopped because a part of it failed. */
  readonly failureGraceMs: number;
  /** At most one progress record a job in this time. */
  readonly progressRecordMs: number;
  /** A proposed stop step lies at least this far ahead of the foremost rank, so that the proposal overtakes it. */
  readonly suspendMarginMs: number;
  /** Ports that coordinators listen on: first and count. */
  readonly coordinatorPorts: { readonly first: number; readonly count: number };
  /** What starting an attempt again costs beside the work since its last checkpoint: of every GPU, this time. */
  readonly restartCostMs: number;
  /** For so long a job keeps off the node where an attempt of it failed, if there is room elsewhere. 0: it does not. */
  readonly avoidFailedMs: number;
  /** Whether who has had much may be stopped for who has had little (queues/standing.ts); without it nobody is, and the order knows no levels. */
  readonly timeSlicing: boolean;
  /** GPU-time at which a job's level grows: first in GPU-milliseconds, then the factor from one to the next, and how many there are. */
  readonly attainedLevels: { readonly firstMs: number; readonly factor: number; readonly count: number };
  /** A declared `maxRuntime` of at most this keeps a job from being stopped for who has had less. */
  readonly declaredRuntimeMaxMs: number;
  /** Who waits so long in one go is overdue: it goes first in its queue ... */
  readonly overdueAfterMs: number;
  /** ... and is safe for so long once it runs. */
  readonly overdueRunMs: number;
  /** Searches for victims in one pass; a search walks the cluster. */
  readonly victimSearchesPerPassMax: number;
  /**
   * Moves of running jobs that make a hole for a gang may cost each of its GPUs so much, and no more than it has waited:
   * work since their last checkpoints, and restarts. 0: nobody is moved.
   */
  readonly moveBudgetMs: number;
  /** Searches for such moves in one pass; a search walks the cluster. */
  readonly moveSearchesPerPassMax: number;
  /** Time between two passes that search, unless it is known when there will be something to find. */
  readonly moveSearchPauseMs: number;
  /** Jobs moved for one gang. */
  readonly movesPerPlanMax: number;
  /** GPUs have been idle for so long before a running elastic job grows into them ... */
  readonly growAfterIdleMs: number;
  /** ... which has stood so long since it was placed last ... */
  readonly growRestMs: number;
  /** ... by at least so much of its size, in per cent ... */
  readonly growPercentMin: number;
  /** ... if what they do in this time is more than what the restart costs. 0: nobody grows. */
  readonly growPaybackMs: number;
  /** Jobs for which a pass looks for room to grow; a look walks the cluster. */
  readonly growSearchesPerPassMax: number;
  /** From the end that a job promised until its GPUs are free: to notice it, to kill, to be told. */
  readonly stopSlackMs: number;
  /** Waiting jobs of each queue that get a reservation in a pass: 0 none, 1 EASY backfill, many conservative backfill. */
  readonly reservationsPerQueue: number;
  /** Of all queues together. */
  readonly reservationsMax: number;
  /** Reservations of users and operators that are not over (reservations/): each is looked at for each waiting job. */
  readonly reservationObjectsMax: number;
  /** A gang without a reservation that waited so long gets a place that is kept as it empties ... */
  readonly targetAfterMs: number;
  /** ... if it wants at least so many whole GPUs ... */
  readonly targetGpusMin: number;
  /** ... and fewer than so many others have one. 0: nobody gets one. */
  readonly targetsMax: number;
  /** Time between two forecasts of when waiting jobs start. 0: none are made. */
  readonly estimatesEveryMs: number;
  /** Pools of spare nodes, and how spare nodes are lent (schedule/spares/). */
  readonly spares: SparePolicy;
  /** Moves that tidy up without anybody waiting for them (schedule/defrag/). */
  readonly defrag: DefragPolicy;
  /** Gangs placed in one step; the rest waits for the next one, so that a commit stays bounded. */
  readonly placementsPerStepMax: number;
  readonly jobsMax: number;
  /** Oldest finished jobs beyond this are removed. */
  readonly finishedJobsMax: number;
  /** Events kept for `get events`. */
  readonly recentEventsMax: number;
}

export interface SparePolicy {
  /** Each domain of this level has a pool; empty: there are no pools. */
  readonly level: string;
  /** Nodes of each pool; 0: as many as `sizePool` says from the settings that follow. */
  readonly nodes: number;
  /** Nodes of the segments that the domain is full of: what they do not fill is a spare at no cost. 1: no segments. */
  readonly segmentNodes: number;
  readonly failuresPerMillionGpuHours: number;
  /** Mean time that a broken node is out of service. */
  readonly repairMs: number;
  /** A pool is so large that it is found empty with at most this chance. */
  readonly emptyChance: number;
  /** Work that a spare node was lent to leaves within this time, or within its own grace if that is shorter. */
  readonly graceMs: number;
}

export interface DefragPolicy {
  /** It is due at each multiple of this since 1970 that lies in the window; 0: only when somebody asks. */
  readonly everyMs: number;
  /** The window of each day, UTC, in milliseconds since midnight; its end is exclusive. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** Jobs moved at a time. */
  readonly movesMax: number;
  /** The moves that empty a node may cost each GPU of it so much: work since the last checkpoints, and restarts. */
  readonly costMs: number;
  /** A plan that gains fewer GPUs of whole nodes is not worth the trouble. */
  readonly gainGpusMin: number;
}
