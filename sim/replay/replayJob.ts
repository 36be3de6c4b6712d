/** One row of a trace. Times are whole seconds from the trace's zero. */
export interface TraceJob {
  readonly id: string;
  readonly submitS: number;
  /** What it needs in all, 1 or more. */
  readonly durationS: number;
  /** 1 or more. */
  readonly gpus: number;
  /** The run time that the scheduler is told, 1 or more. */
  readonly estimateS: number;
  /** Higher goes first, where a policy looks at it. */
  readonly priority: number;
}

/** A job of the trace and where it stands. The cluster moves it, policies only read it. */
export interface ReplayJob extends TraceJob {
  /** Its place in the order of submission; rows of the same second keep the order of the file. */
  readonly row: number;
  state: 'coming' | 'waiting' | 'running' | 'done';
  /** One node a piece, whole nodes first; meaningful while it runs. */
  nodes: readonly number[];
  /** Its submission, or when it was last stopped; also while it runs. */
  waitingSinceS: number;
  /** When the present run began. */
  startedS: number;
  /** Of the duration and all overheads, what was left when the present run began, or what is left while it waits. */
  remainingS: number;
  /** Time on GPUs in earlier runs. */
  heldS: number;
  /** Added to its duration by preemptions and failures. */
  overheadS: number;
  /** Of it, work that failures took and that was done again. */
  recomputedS: number;
  /** Of it, restarts after failures. */
  restartingS: number;
  /** When the cluster looks at it next while it runs: its end, or where a level of service ends. */
  dueS: number;
  /** -1 until it first starts. */
  firstStartS: number;
  endS: number;
}

/** Sorted by submission; rows with the same second keep their order. */
export function replayJobs(trace: readonly TraceJob[]): readonly ReplayJob[] {
  const sorted = [...trace].sort((a, b) => a.submitS - b.submitS);
  return sorted.map(({ id, submitS, durationS, gpus, estimateS, priority }, row) => ({
    id,
    submitS,
    durationS,
    gpus,
    estimateS,
    priority,
    row,
    state: 'coming',
    nodes: [],
    waitingSinceS: submitS,
    startedS: 0,
    remainingS: durationS,
    heldS: 0,
    overheadS: 0,
    recomputedS: 0,
    restartingS: 0,
    dueS: 0,
    firstStartS: -1,
    endS: 0,
  }));
}
