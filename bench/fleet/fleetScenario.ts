/**
 * The trace as a scenario for the simulator: `sim run` would play it the same, were it written down.
 *
 * queue       guaranteed  classes                      may be stopped  checkpoint
 * serving          20 %   services                     no              none: a unit that fails starts anew
 * flagship         41 %   Flagship                     no              10 min
 * pretrain         24 %   Pretrain, RL                 yes             10 min
 * research          8 %   SFT, MLLM, Debug, Other      yes             30 min
 * evaluation        2 %   Eval                         yes             30 min
 *
 * A job's run of the trace holds all that a run holds: launch, loading (7, 30 or 60 s on 1, up to 8, more GPUs: what the Helios
 * artifact charges for a restart) and standing still for checkpoints. So an undisturbed run takes what the trace says, and
 * only what a failure or a preemption costs comes on top. A job declares `maxRuntime` where its user's estimate is no less
 * than what it takes, with ten minutes more; an estimate that is too low would end the job, so nothing is declared.
 *
 * Elastic is `--elastic` of the Pretrain, SFT and MLLM jobs on whole nodes: from half to twice the nodes that they ask for, as
 * data-parallel training is. Their steps take so much less time with more nodes, which is the best case.
 */
import { compileManifest } from '#codec/manifest.ts';
import { parseScenario } from '#sim/scenario/parseScenario.ts';
import type { Deed, Entry, ProgramPlan, Scenario } from '#sim/scenario/scenario.ts';
import { assert } from '#vocabulary/assert.ts';
import { jobName, nodeName, userName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import type { BatchClass, BatchJob, FleetSize, FleetTrace, ServiceUnit } from './fleetTrace.ts';

/** From SIGTERM, or the wish to suspend, until who was asked is gone. */
export const graceMs = 60_000;
/** Services follow a curve that is known ahead: a unit is asked for so long before it is needed, so that whoever must leave for it has left. */
const servingLeadMs = 60_000;
const launchMs = 5_000;
export const fleetModel = 'H800';
const nodeGpus = 8;

const queuePlans = [
  { name: 'serving', guaranteedShare: 0.2, weight: 1 },
  { name: 'flagship', guaranteedShare: 0.41, weight: 1 },
  { name: 'pretrain', guaranteedShare: 0.24, weight: 4 },
  { name: 'research', guaranteedShare: 0.08, weight: 2 },
  { name: 'evaluation', guaranteedShare: 0.02, weight: 1 },
] as const;
type FleetQueue = (typeof queuePlans)[number]['name'];

interface ClassPlan {
  readonly queue: FleetQueue;
  readonly priority: number;
  readonly preemptible: boolean;
  readonly checkpointMs: number;
  readonly stepMs: number;
}

const minuteMs = 60_000;
const research = { queue: 'research', priority: 20, preemptible: true, checkpointMs: 30 * minuteMs, stepMs: 1_000 } as const;
const pretrain = { queue: 'pretrain', priority: 40, preemptible: true, checkpointMs: 10 * minuteMs, stepMs: 5_000 } as const;
const classPlans: Readonly<Record<BatchClass, ClassPlan>> = {
  Flagship: { queue: 'flagship', priority: 60, preemptible: false, checkpointMs: 10 * minuteMs, stepMs: 10_000 },
  Pretrain: pretrain,
  RL: pretrain,
  SFT: research,
  MLLM: research,
  Debug: research,
  Other: research,
  Eval: { ...research, queue: 'evaluation', priority: 10 },
};

/** The program stands still so long for a checkpoint; what is written goes on in the background. */
const checkpointTakesMs = 2_000;

export function fleetScenario(trace: FleetTrace, size: FleetSize, policy: Readonly<Record<string, unknown>> = {}): Scenario {
  const frame = parseScenario(JSON.stringify(frameOf(size, policy)), 'fleet');
  if (!frame.ok) throw new Error(frame.problems.join('\n'));
  const deeds: { readonly atMs: number; readonly user: string; readonly deed: Deed }[] = [];
  for (const unit of trace.units) deeds.push(...unitDeeds(unit));
  for (const job of trace.jobs) deeds.push({ atMs: job.atMs, user: job.user, deed: jobDeed(job, size) });
  for (const { atMs, node, repairMs } of trace.failures) {
    const name = frame.scenario.nodes[node]?.name ?? nodeName('none');
    deeds.push({ atMs, user: 'operator', deed: { kind: 'fault', fault: { kind: 'node-down', nodes: [name], forMs: repairMs } } });
  }
  deeds.sort((left, right) => left.atMs - right.atMs);
  const timeline = deeds.map(({ atMs, user, deed }, index): Entry => ({ atMs, index, user: userName(user), deed }));
  return { ...frame.scenario, timeline };
}

function frameOf({ nodes, days }: FleetSize, policy: Readonly<Record<string, unknown>>): object {
  const shape = nodes >= 160 ? { zone: 2, block: 5, rack: 8 } : { block: 2, rack: 4 };
  return {
    apiVersion: 'shoal.dev/v1',
    kind: 'Scenario',
    metadata: { name: `fleet-${nodes * nodeGpus}` },
    // The trace's repairs hold the reboot.
    cluster: {
      pools: [{ name: 'fleet', count: nodes, gpus: nodeGpus, model: fleetModel, shape }],
      timings: { launch: `${launchMs / 1_000}s`, reboot: '0s' },
    },
    queues: queuePlans.map(({ name, guaranteedShare, weight }) => ({
      name,
      class: name === 'serving' ? 'serving' : 'batch',
      // Whole nodes.
      guaranteed: { [fleetModel]: Math.floor(guaranteedShare * nodes) * nodeGpus },
      weight,
    })),
    policy,
    until: `${days * 24}h`,
  };
}

function* unitDeeds({ id, service, atMs, untilMs, workers }: ServiceUnit): Generator<{ atMs: number; user: string; deed: Deed }> {
  const name = jobName(id);
  const spec = specOf({
    queue: 'serving',
    priority: 80,
    preemptible: false,
    workers,
    gpusPerWorker: nodeGpus,
    checkpointMs: null,
    elastic: null,
  });
  const program: ProgramPlan = {
    workMs: null,
    stepMs: 1_000,
    workers,
    checkpointEveryMs: null,
    checkpointTakesMs: 0,
    memoryCheckpointEveryMs: null,
    loadTakesMs: 60_000,
    onSuspend: 'exit',
    exit: null,
  };
  yield {
    atMs: Math.max(0, atMs - servingLeadMs),
    user: service,
    deed: { kind: 'applyJob', name, labels: {}, annotations: {}, spec, program, place: null },
  };
  if (untilMs !== null) yield { atMs: untilMs, user: service, deed: { kind: 'delete', job: name } };
}

const elasticClasses: ReadonlySet<BatchClass> = new Set(['Pretrain', 'SFT', 'MLLM']);

function elasticOf({ class: name, gpusPerWorker, workers, draw }: BatchJob, { elastic }: FleetSize): JobSpec['elastic'] {
  if (draw >= elastic || gpusPerWorker !== nodeGpus || !elasticClasses.has(name)) return null;
  return { minWorkers: Math.ceil(workers / 2), maxWorkers: workers * 2 };
}

function jobDeed(job: BatchJob, size: FleetSize): Deed {
  const { queue, priority, preemptible, checkpointMs, stepMs } = classPlans[job.class];
  const { workers, gpusPerWorker, runMs } = job;
  const spec = specOf({ queue, priority, preemptible, workers, gpusPerWorker, checkpointMs, elastic: elasticOf(job, size) });
  const loadTakesMs = Math.min(
    loadMs(workers * gpusPerWorker),
    runMs === null ? Infinity : Math.max(0, Math.floor((runMs - launchMs) / 2)),
  );
  const program: ProgramPlan = {
    workMs: runMs === null ? null : workMs(runMs - launchMs - loadTakesMs, checkpointMs),
    stepMs,
    workers,
    checkpointEveryMs: checkpointMs,
    checkpointTakesMs,
    memoryCheckpointEveryMs: null,
    loadTakesMs,
    onSuspend: 'save',
    exit: null,
  };
  // An elastic job promises what it takes with the fewest nodes.
  const slowest = spec.elastic === null ? 1 : workers / spec.elastic.minWorkers;
  const maxRuntimeMs = runMs !== null && job.estimateMs >= runMs ? Math.ceil(job.estimateMs * slowest) + 10 * minuteMs : null;
  const labels = { class: job.class };
  return { kind: 'applyJob', name: jobName(job.id), labels, annotations: {}, spec: { ...spec, maxRuntimeMs }, program, place: null };
}

const loadMs = (gpus: number): number => (gpus === 1 ? 7_000 : gpus <= nodeGpus ? 30_000 : 60_000);

/** Of the time on GPUs, without what checkpoints take. */
const workMs = (onMs: number, everyMs: number): number => Math.max(1_000, Math.round((onMs * everyMs) / (everyMs + checkpointTakesMs)));

interface SpecWanted extends Pick<JobSpec, 'priority' | 'preemptible' | 'workers' | 'gpusPerWorker' | 'elastic'> {
  readonly queue: FleetQueue;
  readonly checkpointMs: number | null;
}

const specs = new Map<string, JobSpec>();

/** Through the codec of the API, once a shape. */
function specOf({ checkpointMs, elastic, ...wanted }: SpecWanted): JobSpec {
  const key = JSON.stringify([wanted, checkpointMs, elastic]);
  const known = specs.get(key);
  if (known !== undefined) return known;
  const checkpoint =
    checkpointMs === null ? {} : { checkpoint: { directory: 'checkpoints', interval: `${checkpointMs}ms`, grace: `${graceMs}ms` } };
  const spec = { ...wanted, ...checkpoint, ...(elastic === null ? {} : { elastic }), template: { command: ['simulated'] } };
  const compiled = compileManifest({ apiVersion: 'shoal.dev/v1', kind: 'TrainingJob', metadata: { name: 'job' }, spec });
  assert(compiled.ok && compiled.kind === 'TrainingJob', `the codec takes ${key}: ${JSON.stringify(compiled)}`);
  specs.set(key, compiled.spec);
  return compiled.spec;
}
