import type { Input } from '#core/inputs.ts';
import { apply } from '#core/state/apply.ts';
import type { State } from '#core/state/state.ts';
import { emptyState } from '#core/state/emptyState.ts';
import type { StepResult } from '#core/step.ts';
import { step } from '#core/step.ts';
import { FakeAgent } from '#test/simulation/fakeAgent.ts';
import { applyJob, applyQueue, policy } from '#test/simulation/fakeCluster.ts';
import { createRandom } from '#sim/random.ts';
import type { JobUid } from '#vocabulary/ids.ts';
import { jobName, nodeName, queueName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';

/** Nodes of 8 GPUs, 16 a rack, 16 racks a block, in a state of the core: filled but for what the caller wants free. */
export interface Free {
  /** Nodes with all GPUs free. */
  readonly whole: number;
  /** Nodes with one GPU free. */
  readonly single: number;
}

const startMs = 1_000_000;
const roots = 4;
const leavesEach = 4;
const users = 40;

/** Queues of `waitingJobs`; all jobs that run are in the queue `default`. */
const leafName = (index: number): string => `team-${Math.floor(index / leavesEach) % roots}-${index % leavesEach}`;

export const stepAt = (state: State, inputs: readonly Input[]): StepResult =>
  step(state, inputs, { nowMs: Math.max(startMs, state.atMs) + 10, policy });

/** The free nodes are spread evenly over the cluster. */
export function buildState(nodes: number, free: Free): State {
  const state = emptyState();
  stepAt(state, [{ kind: 'createCluster', clusterId: 'bench' }, { kind: 'electLeader', version: 'bench' }, applyQueue('default')]);
  for (let root = 0; root < roots; root += 1) stepAt(state, [applyQueue(`team-${root}`, { weight: root + 1 })]);
  for (let leaf = 0; leaf < roots * leavesEach; leaf += 1)
    stepAt(state, [applyQueue(leafName(leaf), { parent: queueName(`team-${Math.floor(leaf / leavesEach)}`), weight: 1 + (leaf % 3) })]);
  stepAt(
    state,
    Array.from({ length: nodes }, (_, index) => helloOf(index)),
  );
  const special = free.whole + free.single;
  const inputs: Input[] = [];
  for (let index = 0; index < nodes; index += 1) {
    // Which of the special nodes this one is; -1: none.
    const before = Math.floor((index * special) / nodes);
    const kind = Math.floor(((index + 1) * special) / nodes) > before ? before : -1;
    const isWhole = kind >= 0 && Math.floor(((kind + 1) * free.whole) / special) > Math.floor((kind * free.whole) / special);
    if (!isWhole) inputs.push(...runningOn(index, kind < 0 ? 8 : 7));
  }
  for (let at = 0; at < inputs.length; at += 2_000) stepAt(state, inputs.slice(at, at + 2_000));
  return state;
}

const nameOf = (index: number): string => `n${String(index).padStart(5, '0')}`;

function helloOf(index: number): Input {
  const agent = new FakeAgent({ name: nameOf(index), rack: `r${index >> 4}`, block: `b${index >> 8}`, gpus: 8 });
  return { kind: 'hello', hello: agent.hello() };
}

function runningOn(index: number, gpus: number): readonly Input[] {
  const name = `runs-${index}`;
  return [
    applyJob(name, { gpusPerWorker: gpus }, `user-${index % users}`),
    { kind: 'placeJob', name: jobName(name), places: [{ node: nodeName(nameOf(index)), workers: 1 }] },
  ];
}

/** No team may hold more than so many GPUs. */
export const limitTeams = (gpus: number): readonly Input[] =>
  Array.from({ length: roots }, (_, root) => applyQueue(`team-${root}`, { weight: root + 1, limit: { H100: gpus } }));

/** Jobs of many shapes, queues and users. `workersMax`: a power of two; `gpusMin`: of each worker, 1..8. */
export function waitingJobs(
  count: number,
  { workersMax, gpusMin }: { readonly workersMax: number; readonly gpusMin: number },
): readonly Extract<Input, { kind: 'applyJob' }>[] {
  const random = createRandom(11);
  const sizes = [1, 2, 4, 8].filter((gpus) => gpus >= gpusMin && gpus <= 4 * gpusMin);
  return Array.from({ length: count }, (_, index) => {
    const workers = 2 ** random.below(Math.log2(workersMax) + 1);
    const gpusPerWorker = sizes[random.below(sizes.length)] ?? 8;
    const level = ['rack', 'block'][random.below(6)];
    const constraints: JobSpec['constraints'] =
      level === undefined || workers * gpusPerWorker > 128 ? [] : [{ level, mode: 'required', waitMs: null }];
    const segments = workers >= 8 && random.chance(0.1) ? [{ level: 'rack', workers: 8 }] : [];
    const base = applyJob(
      `waits-${index}`,
      { queue: queueName(leafName(index)), workers, gpusPerWorker, constraints, segments },
      `user-${random.below(users)}`,
    );
    const cpuMilli = random.chance(0.2) ? null : gpusPerWorker * (1 + random.below(32)) * 250;
    return { ...base, spec: { ...base.spec, template: { ...base.spec.template, cpuMilli } } };
  });
}

/** The job is over: what it held is free, and the next step runs a pass. */
export function endJob(state: State, uid: JobUid): void {
  const attempt = state.jobs.get(uid)?.attempts.length ?? 0;
  const end = { reasons: ['Succeeded'] as const, message: '', charged: false, next: { kind: 'finished', outcome: 'Succeeded' } as const };
  apply(state, { kind: 'AttemptEnded', uid, attempt, ...end, atMs: state.atMs }, policy.recentEventsMax);
  const name = state.jobs.get(uid)?.name;
  if (name !== undefined) apply(state, { kind: 'JobRemoved', uid, name, atMs: state.atMs }, policy.recentEventsMax);
}
