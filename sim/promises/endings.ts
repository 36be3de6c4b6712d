/** What must be true when a scenario has come to its end by itself: everything that can finish has finished. */
import type { Policy } from '#core/context.ts';
import type { Input } from '#core/inputs.ts';
import { emptyState } from '#core/state/emptyState.ts';
import type { JobView, QueueView, StateView } from '#core/state/view.ts';
import type { JobUid } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import { protocolVersion } from '#vocabulary/session.ts';
import { epoch } from '#vocabulary/ids.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import { describeWait } from '#vocabulary/reasons.ts';
import type { NodePlan } from '../scenario/scenario.ts';
import { inventoryOf } from '../world/inventory.ts';
import type { SimAgent } from '../world/simAgent.ts';
import type { Core } from '../world/core.ts';

export interface Rest {
  readonly state: StateView;
  readonly waits: { get(uid: JobUid): WaitReason | undefined };
  readonly nodes: readonly NodePlan[];
  readonly policy: Policy;
  readonly nowMs: number;
  readonly agents: Iterable<SimAgent>;
  /** It hangs, or never ends by itself: not the scheduler's fault. */
  isEndless(job: JobView): boolean;
}

/** Sentences, one for each job that should have ended and has not. */
export function* judgeRest(core: Core, rest: Rest): Generator<string> {
  for (const agent of rest.agents) yield* judgeLeftovers(rest.state, agent);
  const open = [...rest.state.jobs.values()].filter(({ phase }) => phase.kind === 'active' || phase.kind === 'pending');
  const stuck = open.filter((job) => job.phase.kind === 'active' && !rest.isEndless(job));
  for (const job of stuck) yield `job ${job.name} holds its place for ever: ${job.attempts.at(-1)?.stage.kind ?? ''}`;
  // In a cluster at peace nobody is in the way of anybody.
  if (open.some(({ phase }) => phase.kind === 'active') || !isAtPeace(rest)) return;
  for (const job of open) {
    const wait = rest.waits.get(job.uid);
    if (wait !== undefined && (honest.has(wait.kind) || isForSpares(wait))) continue;
    if (canRunAlone(core, job, rest))
      yield `job ${job.name} waits for ever though nobody is in its way: ${wait === undefined ? 'nobody says why' : describeWait(wait)}`;
  }
}

/** A node that is heard runs nothing that nobody wants there. */
function* judgeLeftovers(state: StateView, agent: SimAgent): Generator<string> {
  if (agent.awayUntilMs !== null) return;
  for (const { id, ranks, end } of agent.workers()) {
    const job = state.jobs.get(id.job);
    const isWanted = job?.phase.kind === 'active' && job.attempts.at(-1)?.number === id.attempt;
    if (end.kind === 'none' && !isWanted && ranks.some(({ life }) => life.kind === 'running'))
      yield `node ${agent.name} runs attempt ${id.attempt} of ${job?.name ?? id.job} though it is over`;
  }
}

/** Reasons that only people can help. */
const honest: ReadonlySet<WaitReason['kind']> = new Set([
  'Held',
  'Dependency',
  'DependencyNever',
  'NotBefore',
  'QueueHeld',
  'NoSuchGpuModel',
  'NoSuchGpuProfile',
]);

/** The policy keeps nodes from it that it would need: that is what it asks for. */
const isForSpares = (wait: WaitReason): boolean => wait.kind === 'InsufficientGpus' && (wait.spare ?? 0) > 0;

function isAtPeace({ state, nodes: planned }: Rest): boolean {
  // One that fell silent before it was heard is in no state.
  if (planned.some(({ name }) => !state.nodes.has(name))) return false;
  return [...state.nodes.values()].every(
    ({ availability, cordon, health }) => availability.kind === 'ready' && cordon === null && health.every(({ healthy }) => healthy),
  );
}

/** In a cluster of the same nodes and queues that was never used. */
function canRunAlone({ step }: Pick<Core, 'step'>, job: JobView, { state, nodes, policy, nowMs }: Rest): boolean {
  const fresh = emptyState();
  const inputs: Input[] = [
    { kind: 'createCluster', clusterId: 'alone' },
    { kind: 'electLeader', version: 'alone' },
    ...parentsFirst([...state.queues.values()]).map(({ name, labels, spec }) => ({ kind: 'applyQueue' as const, name, labels, spec })),
    ...nodes.map(
      (plan): Input => ({
        kind: 'hello',
        hello: {
          node: plan.name,
          protocolVersion,
          agentVersion: 'simulated',
          inventory: inventoryOf(plan, 'boot-1'),
          epochSeen: epoch(0),
          workers: [],
          gpuHealth: [],
          labels: state.nodes.get(plan.name)?.labels ?? {},
        },
      }),
    ),
    {
      kind: 'applyJob',
      name: job.name,
      uid: job.uid,
      user: job.user,
      labels: job.labels,
      annotations: job.annotations,
      spec: unhindered(job.spec),
    },
  ];
  return step(fresh, inputs, { nowMs, policy }).events.some(({ kind }) => kind === 'AttemptPlaced');
}

/** Without what has to do with time and with others. */
function unhindered(spec: JobSpec): JobSpec {
  const constraints = spec.constraints.filter(({ mode }) => mode === 'required');
  return { ...spec, after: [], startAfterMs: null, deadlineMs: null, constraints };
}

function parentsFirst(queues: readonly QueueView[]): readonly QueueView[] {
  const depthOf = (queue: QueueView): number => {
    const parent = queues.find(({ name }) => name === queue.spec.parent);
    return parent === undefined ? 0 : 1 + depthOf(parent);
  };
  return [...queues].sort((left, right) => depthOf(left) - depthOf(right) || (left.name < right.name ? -1 : 1));
}
