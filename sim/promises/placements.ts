/** Whether a new attempt may stand where it was placed, judged from the records alone: what invariants of a state cannot say, since it holds at the start only. */
import type { Policy } from '#core/context.ts';
import { currentAttempt } from '#core/state/state.ts';
import type { AttemptView, JobView, NodeView, StateView } from '#core/state/view.ts';
import { milliPerGpu } from '#vocabulary/job.ts';
import type { QueueName } from '#vocabulary/ids.ts';

/** Sentences that say what is wrong. `nowMs` is when it was placed, and `state` as it was then. */
export function* judgePlacement(state: StateView, job: JobView, policy: Pick<Policy, 'levels'>, nowMs: number): Generator<string> {
  const attempt = currentAttempt(job);
  if (attempt === undefined) return;
  yield* judgeTime(state, job, nowMs);
  yield* judgeNodes(state, job, attempt);
  yield* judgeQuota(state, job, attempt);
  for (const { level } of [...job.spec.constraints, ...job.spec.segments])
    if (!policy.levels.includes(level)) yield `job ${job.name} was placed though it names a level that is not there`;
}

function* judgeTime(state: StateView, { name, spec, held, wanted, array, attempts }: JobView, nowMs: number): Generator<string> {
  if (held !== null) yield `job ${name} was placed though it is held`;
  if (wanted !== 'run') yield `job ${name} was placed though nobody wants it to run`;
  if (spec.startAfterMs !== null && nowMs < spec.startAfterMs) yield `job ${name} was placed before its time`;
  if (attempts.length === 1) {
    for (const { job: other, condition } of spec.after) {
      const uid = state.jobsByName.get(other);
      const record = uid === undefined ? undefined : state.jobs.get(uid);
      if (record === undefined || !holds(record, condition))
        yield `job ${name} was placed before what it waits for: ${condition} of ${other}`;
    }
  }
  const parallelism = array?.parallelism ?? null;
  if (array === null || parallelism === null) return;
  const running = [...state.jobs.values()].filter((job) => job.array?.name === array.name && job.phase.kind === 'active');
  if (running.length > parallelism) yield `more jobs of array ${array.name} run than its parallelism allows`;
}

function holds({ phase, attempts }: JobView, condition: string): boolean {
  if (condition === 'Started') return attempts.some(({ startedAtMs }) => startedAtMs !== null);
  return phase.kind === 'finished' && (condition === 'Finished' || condition === phase.outcome);
}

function* judgeNodes(state: StateView, job: JobView, attempt: AttemptView): Generator<string> {
  const { spec } = job;
  for (const { node: name, gpus } of attempt.placement) {
    const node = state.nodes.get(name);
    if (node === undefined) {
      yield `job ${job.name} was placed on a node that is not there`;
      continue;
    }
    if (node.availability.kind !== 'ready') yield `job ${job.name} was placed on node ${name}, which is ${node.availability.kind}`;
    if (node.cordon !== null) yield `job ${job.name} was placed on node ${name}, which is cordoned`;
    if (gpus.some((gpu) => node.health[gpu]?.healthy !== true)) yield `job ${job.name} was placed on a sick GPU of ${name}`;
    if (spec.avoidNodes.includes(name)) yield `job ${job.name} was placed on node ${name}, which it avoids`;
    if (Object.entries(spec.nodeSelector).some(([label, value]) => node.labels[label] !== value))
      yield `job ${job.name} was placed on node ${name}, which lacks a label that it wants`;
    yield* judgeMachine(state, node);
  }
  if (spec.gpuModels.length > 0 && attempt.model !== null && !spec.gpuModels.includes(attempt.model))
    yield `job ${job.name} was placed on a model that it does not name`;
}

/** CPU and memory of all that stand on the node. */
function* judgeMachine(state: StateView, node: NodeView): Generator<string> {
  let [cpuMilli, memoryBytes] = [0, 0];
  for (const uid of node.jobs) {
    const job = state.jobs.get(uid);
    const attempt = job === undefined ? undefined : currentAttempt(job);
    const here = attempt?.placement.filter((place) => place.node === node.name).length ?? 0;
    cpuMilli += here * (job?.spec.template.cpuMilli ?? 0);
    memoryBytes += here * (job?.spec.template.memoryBytes ?? 0);
  }
  if (cpuMilli > node.inventory.cpuMilli) yield `node ${node.name} has less CPU than was given away`;
  if (memoryBytes > node.inventory.memoryBytes) yield `node ${node.name} has less memory than was given away`;
}

/** Limits may be lowered below what runs; nothing starts then. */
function* judgeQuota(state: StateView, job: JobView, { model }: AttemptView): Generator<string> {
  const chain = chainOf(state, job.spec.queue);
  for (const name of chain) if (state.queues.get(name)?.spec.hold === true) yield `job ${job.name} was placed though queue ${name} is held`;
  const running = [...state.jobs.values()].filter(({ phase }) => phase.kind === 'active');
  for (const name of chain) {
    const limit = model === null ? undefined : state.queues.get(name)?.spec.limit[model];
    const below = running.filter((other) => chainOf(state, other.spec.queue).includes(name));
    if (limit !== undefined && heldOf(below, model) > limit * 1000)
      yield `queue ${name} holds more than its limit after job ${job.name} was placed`;
  }
  const perUser = state.queues.get(job.spec.queue)?.spec.perUser;
  const own = running.filter((other) => other.spec.queue === job.spec.queue && other.user === job.user);
  const limit = model === null ? undefined : perUser?.limit[model];
  if (limit !== undefined && heldOf(own, model) > limit * 1000)
    yield `user ${job.user} holds more than the limit after job ${job.name} was placed`;
  const maxRunning = perUser?.maxRunning ?? null;
  if (maxRunning !== null && own.length > maxRunning) yield `user ${job.user} runs more jobs than allowed after job ${job.name} was placed`;
}

function heldOf(jobs: readonly JobView[], model: string | null): number {
  return jobs.reduce((sum, job) => {
    const attempt = currentAttempt(job);
    return attempt?.model === model ? sum + attempt.placement.length * job.spec.gpusPerWorker * milliPerGpu(job.spec) : sum;
  }, 0);
}

/** The queue and all above it. */
function chainOf(state: StateView, queue: QueueName): readonly QueueName[] {
  const chain: QueueName[] = [];
  for (let name: QueueName | null = queue; name !== null && !chain.includes(name); name = state.queues.get(name)?.spec.parent ?? null)
    chain.push(name);
  return chain;
}
