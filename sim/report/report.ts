/** What a played scenario came to. All times are integer milliseconds from the start, GPU amounts in milli-GPU. */
import { phaseOf } from '#core/jobs/phaseOf.ts';
import type { AttemptView, JobView, NodeView } from '#core/state/view.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { Played, Planned } from '../world/playScenario.ts';
import type { Incident, ToldEvent } from '../world/recorder.ts';
import type { LedgerFacts, LedgerReport } from './ledgerReport.ts';
import { readLedgerFacts } from './ledgerReport.ts';
import type { Metrics } from './metrics.ts';
import { effectiveOf, measure } from './metrics.ts';
import type { Verdict } from './verdict.ts';
import { verdictOf } from './verdict.ts';

export interface Report {
  readonly name: string;
  readonly seed: number;
  readonly endedAt: number;
  /** By `job/NAME`. */
  readonly workloads: Readonly<Record<string, WorkloadReport>>;
  readonly services: Readonly<Record<string, never>>;
  readonly nodes: Readonly<Record<string, NodeReport>>;
  readonly incidents: readonly Incident[];
  readonly events: readonly ToldEvent[];
  readonly plans: readonly Planned[];
  readonly ledger: LedgerReport;
  readonly metrics: Metrics;
}

export interface WorkloadReport {
  readonly phase: string;
  readonly queue: string;
  readonly submittedAt: number;
  readonly attempts: readonly AttemptReport[];
  /** null: it does not wait. */
  readonly verdict: Verdict | null;
  readonly restarts: { readonly application: number; readonly infrastructure: number; readonly preemption: number };
  readonly effective: number;
}

interface AttemptReport {
  readonly number: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly stopReasons: readonly string[];
  readonly resumedFromStep: number;
  readonly lastCheckpointStep: number;
  readonly chargedToUser: boolean;
  readonly placement: readonly {
    readonly role: string;
    readonly worker: number;
    readonly node: string;
    readonly gpus: readonly number[];
    /** UUID of the slot that the worker has of its GPU. */
    readonly slot?: string;
  }[];
}

interface NodeReport {
  readonly state: string;
  readonly cordons: readonly { readonly owner: string; readonly reason: string }[];
  /** Ids. */
  readonly incidents: readonly string[];
}

export function makeReport(scenario: Scenario, played: Played, options: { readonly timings: boolean }): Report {
  const { world, endedAtMs, plans } = played;
  const { recorder, view } = world;
  const jobs = [...recorder.jobs.values()];
  const ledger = readLedgerFacts(view, jobs, endedAtMs);
  const nodes = [...view.nodes.values()].map((node) => [node.name, nodeReport(node, recorder.incidents)] as const);
  return {
    name: scenario.name,
    seed: scenario.seed,
    endedAt: endedAtMs,
    workloads: workloadReports(played, jobs, ledger),
    services: {},
    nodes: Object.fromEntries(nodes.sort(([a], [b]) => (a < b ? -1 : 1))),
    incidents: recorder.incidents,
    events: recorder.events,
    plans,
    ledger: ledger.report,
    metrics: measure({ jobs, ledger, endedAtMs, decisions: recorder.decisions, decisionMs: options.timings ? recorder.decisionMs : null }),
  };
}

/** Waiting jobs of which more than the reason is said: each takes a look at the whole cluster. */
const explainedMax = 100;

/** Of several jobs of one name, the last one. */
function workloadReports(played: Played, jobs: readonly JobView[], ledger: LedgerFacts): Report['workloads'] {
  const reports = new Map<string, WorkloadReport>();
  let waiting = 0;
  for (const [index, job] of jobs.entries()) {
    if (job.phase.kind === 'pending') waiting += 1;
    const inFull = waiting <= explainedMax;
    reports.set(`job/${job.name}`, workloadReport(played, job, { productive: ledger.productive[index] ?? 0n, inFull }));
  }
  return Object.fromEntries([...reports].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function workloadReport(
  { world, endedAtMs }: Played,
  job: JobView,
  { productive, inFull }: { readonly productive: bigint; readonly inFull: boolean },
): WorkloadReport {
  const { recorder } = world;
  const removedAtMs = recorder.removedAtMs.get(job.uid);
  const waits = removedAtMs === undefined && job.phase.kind === 'pending';
  return {
    phase: removedAtMs === undefined || job.phase.kind === 'finished' ? phaseOf(job) : 'Deleted',
    queue: job.spec.queue,
    submittedAt: job.createdAtMs,
    attempts: job.attempts.map((attempt) => attemptReport(attempt, world.program(job.uid, attempt.number)?.resumedFrom ?? null)),
    verdict: waits ? verdictOf(world, job, inFull) : null,
    restarts: {
      application: job.restarts.applicationAtMs.length,
      infrastructure: job.restarts.infrastructure,
      preemption: job.restarts.preemption,
    },
    effective: effectiveOf(job, productive, removedAtMs ?? endedAtMs),
  };
}

/** What the program really went on from may be a copy in memory, newer than what the controller knows. */
function attemptReport(attempt: AttemptView, resumedFrom: number | null): AttemptReport {
  const resumedFromStep = resumedFrom ?? attempt.resume?.step ?? 0;
  return {
    number: attempt.number,
    startedAt: attempt.startedAtMs,
    endedAt: attempt.endedAtMs,
    stopReasons: attempt.end?.reasons ?? [],
    resumedFromStep,
    lastCheckpointStep: attempt.lastCheckpointStep,
    chargedToUser: attempt.end?.charged ?? false,
    placement: attempt.placement.map((place, worker) => ({ role: 'worker', worker, ...place })),
  };
}

function nodeReport(node: NodeView, incidents: readonly Incident[]): NodeReport {
  return {
    state: stateOf(node),
    cordons: node.cordon === null ? [] : [{ owner: node.cordon.by, reason: node.cordon.reason }],
    incidents: incidents.filter((incident) => incident.node === node.name).map(({ id }) => id),
  };
}

function stateOf({ availability, cordon }: NodeView): string {
  if (availability.kind === 'lost') return 'Lost';
  if (availability.kind === 'returning') return 'Returning';
  if (cordon === null) return 'Ready';
  return cordon.drain ? 'Draining' : 'Cordoned';
}
