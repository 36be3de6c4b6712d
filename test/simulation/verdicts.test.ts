import { describe, expect, test } from 'vitest';
import { parseSnapshot } from '#controller/loop/logLine.ts';
import type { Input } from '#core/inputs.ts';
import { changedSpec } from '#core/schedule/explain/changedSpec.ts';
import { explainWait } from '#core/schedule/explain/explainWait.ts';
import { printSnapshot, restoreSnapshot } from '#core/state/snapshot.ts';
import type { State } from '#core/state/state.ts';
import type { JobView } from '#core/state/view.ts';
import { step } from '#core/step.ts';
import type { Random } from '#sim/random.ts';
import { createRandom } from '#sim/random.ts';
import { cases } from '#test/cases.ts';
import { assert } from '#vocabulary/assert.ts';
import { nodeName, queueName, userName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import type { QueueSpec } from '#vocabulary/queue.ts';
import type { Remedy, Verdict } from '#vocabulary/verdict.ts';
import type { NodeShape } from './fakeAgent.ts';
import { applyJob, applyQueue, disturb, FakeCluster, policy } from './fakeCluster.ts';

/** Two models in two blocks of two racks; queues with limits and guarantees, some of which are small. */
const nodes: readonly NodeShape[] = Array.from({ length: 8 }, (_, at) => ({
  name: `n${at}`,
  block: at < 4 ? 'b1' : 'b2',
  rack: `r${Math.floor(at / 2)}`,
  gpus: 4,
  model: at === 3 || at === 7 ? 'A100' : 'H100',
}));
const queueSpecs: Readonly<Record<string, Partial<QueueSpec>>> = {
  red: { guaranteed: { H100: 8 }, weight: 2 },
  blue: { limit: { H100: 10, A100: 4 }, perUser: { limit: { H100: 6 }, maxRunning: 3 } },
  green: { parent: queueName('red'), weight: 0.5 },
};
const [seconds, seeds] = [50, cases(4)];

function drawJob(random: Random, second: number): Partial<JobSpec> {
  const workers = 1 + random.below(5);
  const segments = workers % 2 === 0 && random.chance(0.2) ? [{ level: 'rack', workers: 2 }] : [];
  const level = random.pick(['rack', 'block', 'node']) ?? 'rack';
  return {
    queue: queueName(random.pick(['red', 'blue', 'green', 'default']) ?? 'red'),
    priority: random.pick([10, 20, 20, 20, 50]) ?? 20,
    workers,
    gpusPerWorker: random.pick([1, 2, 2, 3, 4]) ?? 1,
    gpuModels: random.chance(0.3) ? [random.pick(['H100', 'A100', 'B200']) ?? 'H100'] : [],
    preemptible: random.chance(0.6),
    constraints: segments.length === 0 && random.chance(0.4) ? [{ level, mode: 'required', waitMs: null }] : [],
    segments,
    exclusive: random.chance(0.1) ? 'rack' : null,
    spread: segments.length === 0 && random.chance(0.1) ? { level: 'rack', max: 2 } : null,
    avoidNodes: random.chance(0.1) ? ['n0', 'n1'] : [],
    maxRuntimeMs: random.chance(0.6) ? 20_000 + 10_000 * random.below(8) : null,
    startAfterMs: random.chance(0.05) ? 1_000_000 + second * 1_000 + 20_000 : null,
    after: random.chance(0.05) ? [{ job: applyJob('never').name, condition: 'Succeeded' }] : [],
    restarts: { max: 50, withinMs: null },
  };
}

/** Calls `look` now and then, when the last pass left nothing to decide. */
function live(seed: number, look: (cluster: FakeCluster) => void): FakeCluster {
  const cluster = new FakeCluster(nodes);
  cluster.step(Object.entries(queueSpecs).map(([name, spec]) => applyQueue(name, spec)));
  const random = createRandom(seed);
  for (let second = 0; second < seconds; second += 1) {
    const array = random.chance(0.05) ? { count: 3, parallelism: null } : null;
    if (random.chance(0.7)) cluster.step([applyJob(`j${second}`, { ...drawJob(random, second), array }, random.pick(['ann', 'bob']))]);
    const name = random.pick([...cluster.view.jobs.values()].filter(({ phase }) => phase.kind === 'pending'))?.name;
    if (name !== undefined && random.chance(0.05)) cluster.step([{ kind: 'holdJob', name, user: userName('bob') }]);
    if (random.chance(0.1)) disturb(cluster, random);
    if (random.chance(0.05)) cluster.step([applyQueue('green', { ...queueSpecs['green'], hold: random.chance(0.5) })]);
    cluster.tick({ total: 60, saveEvery: 5 });
    for (let more = 0; cluster.more && more < 5; more += 1) cluster.step([]);
    if (second % 5 === 4 && isSettled(cluster)) look(cluster);
  }
  return cluster;
}

/** Whether one more pass would decide nothing. It may, where somebody saved, or left, since the last one: that is looked at within the second. */
function isSettled(cluster: FakeCluster): boolean {
  const copy = copyOf(cluster);
  return step(copy, [], { nowMs: cluster.nowMs, policy }).events.length === 0;
}

function copyOf(cluster: FakeCluster): State {
  const copy = restoreSnapshot(parseSnapshot(printSnapshot(cluster.state)));
  copy.movesFromMs = cluster.state.movesFromMs;
  return copy;
}

interface Waiting {
  readonly job: JobView;
  readonly verdict: Verdict;
}

function waitingIn(cluster: FakeCluster): readonly Waiting[] {
  return cluster.view.pending.flatMap((uid) => {
    const job = cluster.view.jobs.get(uid);
    const verdict = job === undefined ? null : cluster.verdictOf(job);
    return job === undefined || verdict === null ? [] : [{ job, verdict }];
  });
}

/** What somebody would ask for who follows the advice. */
function inputsOf(cluster: FakeCluster, job: JobView, remedy: Remedy): readonly Input[] {
  const { name, user, labels, annotations, uid } = job;
  const spec = changedSpec(job.spec, remedy);
  if (spec !== null) return [{ kind: 'applyJob', name, uid, user, labels, annotations, spec }];
  if (remedy.kind === 'Release') return [{ kind: 'releaseJob', name, user }];
  if (remedy.kind === 'Next') return [{ kind: 'nextJob', name, user }];
  if (remedy.kind === 'Uncordon') return remedy.nodes.map((node) => ({ kind: 'uncordonNode', node: nodeName(node), user }));
  assert('queue' in remedy, `${remedy.kind} is of a queue`);
  const queue = cluster.view.queues.get(queueName(remedy.queue));
  assert(queue !== undefined, `queue ${remedy.queue} is there`);
  return [applyQueue(queue.name, { ...queue.spec, ...queueChange(queue.spec, remedy) })];
}

function queueChange({ limit, perUser }: QueueSpec, remedy: Remedy): Partial<QueueSpec> {
  if (remedy.kind === 'OpenQueue') return { hold: false };
  if (remedy.kind === 'QueueLimit') return { limit: { ...limit, [remedy.model]: remedy.limit } };
  if (remedy.kind === 'UserMaxRunning') return { perUser: { ...perUser, maxRunning: remedy.limit } };
  assert(remedy.kind === 'UserLimit', `${remedy.kind} changes a queue`);
  return { perUser: { ...perUser, limit: { ...perUser.limit, [remedy.model]: remedy.limit } } };
}

/** Follows the advice on a copy of the state. */
function follow(cluster: FakeCluster, job: JobView, remedy: Remedy): string {
  const copy = copyOf(cluster);
  const { replies } = step(copy, inputsOf(cluster, job, remedy), { nowMs: cluster.nowMs, policy });
  const refused = replies.find((reply) => reply.kind === 'refused');
  return refused?.kind === 'refused' ? `refused: ${refused.message}` : (copy.jobs.get(job.uid)?.phase.kind ?? 'gone');
}

/** Who waits so would not start whatever room there is. */
const noRivals = ['Held', 'NotBefore', 'Dependency', 'DependencyNever', 'NoSuchGpuModel', 'QueueHeld'];

describe('a verdict', () => {
  test('names only changes that let the job start at once', () => {
    const tried = new Map<string, number>();
    const untrue: string[] = [];
    for (let seed = 0; seed < seeds; seed += 1) {
      live(seed, (cluster) => {
        for (const { job, verdict } of waitingIn(cluster)) {
          for (const remedy of verdict.remedies) {
            tried.set(remedy.kind, (tried.get(remedy.kind) ?? 0) + 1);
            const became = follow(cluster, job, remedy);
            if (became !== 'active')
              untrue.push(`seed ${seed}, ${job.name} at ${cluster.nowMs}: ${JSON.stringify([became, remedy, verdict.wait])}`);
          }
        }
      });
    }
    expect(untrue).toEqual([]);
    expect(tried.size).toBeGreaterThan(8);
  });

  test('is the same, byte for byte, as long as nothing changes, and changes nothing itself', () => {
    const untouched = live(3, () => undefined);
    const asked = live(3, (cluster) => {
      const before = printSnapshot(cluster.state);
      const verdicts = (): string => JSON.stringify(waitingIn(cluster).map(({ verdict }) => verdict));
      expect(verdicts()).toBe(verdicts());
      const copy = restoreSnapshot(parseSnapshot(before));
      const lastPass = { waits: cluster.waits, atMs: cluster.passAtMs };
      for (const { job, verdict } of waitingIn(cluster)) {
        const same = copy.jobs.get(job.uid);
        expect(same === undefined ? null : JSON.stringify(explainWait(copy, lastPass, same, { nowMs: cluster.nowMs, policy }))).toBe(
          JSON.stringify(verdict),
        );
      }
      expect(printSnapshot(cluster.state)).toBe(before);
    });
    expect(asked.log).toEqual(untouched.log);
  });

  test('puts every node into one group, and every waiting job into one place', () => {
    live(5, (cluster) => {
      const waiting = waitingIn(cluster);
      expect(waiting.length).toBe(cluster.view.pending.length);
      for (const { verdict } of waiting) {
        for (const room of verdict.rooms) expect(room.nodes.reduce((sum, { count }) => sum + count, 0)).toBe(nodes.length);
        expect(verdict.position.inAll.at).toBeGreaterThan(0);
      }
      const ready = waiting.filter(({ verdict }) => !noRivals.includes(verdict.wait.kind));
      const places = ready.map(({ verdict }) => verdict.position.inAll.at).sort((left, right) => left - right);
      expect(places).toEqual(ready.map((_, at) => at + 1));
    });
  });

  test('counts what is there: each line holds when somebody goes and looks', () => {
    for (let seed = 20; seed < 20 + Math.ceil(seeds / 2); seed += 1) {
      live(seed, (cluster) => {
        for (const { job, verdict } of waitingIn(cluster)) {
          const untrue = [...untrueNodes(cluster, job, verdict), ...untrueRooms(verdict), ...untrueOutlook(cluster, verdict)];
          expect(untrue, `seed ${seed}, ${job.name} at ${cluster.nowMs}`).toEqual([]);
        }
      });
    }
  });

  test('calls a shortage a fault only where an empty and sound cluster would not do either', () => {
    let faults = 0;
    for (let seed = 40; seed < 40 + Math.ceil(seeds / 2); seed += 1) {
      live(seed, (cluster) => {
        for (const { job, verdict } of waitingIn(cluster)) {
          if (verdict.class !== 'ConfigurationFault' || !isShort(verdict)) continue;
          faults += 1;
          const empty = new FakeCluster(nodes);
          const spec = { ...job.spec, queue: queueName('default'), after: [], startAfterMs: null };
          // A level that no domain is large enough for is refused.
          const [reply] = empty.step([applyJob('alone', spec)]);
          if (reply?.kind === 'applied') expect(empty.job('alone').phase.kind).toBe('pending');
        }
      });
    }
    expect(faults).toBeGreaterThan(0);
  });
});

const isShort = ({ wait }: Verdict): boolean => wait.kind === 'InsufficientGpus' || wait.kind === 'LevelTooSmall';

/** Nodes whose group does not fit what the state says of them. */
function untrueNodes(cluster: FakeCluster, { spec }: JobView, { rooms }: Verdict): readonly string[] {
  return rooms.flatMap(({ model, nodes: groups }) =>
    groups.flatMap(({ why, names }) =>
      names.flatMap((name) => {
        const node = cluster.view.nodes.get(nodeName(name));
        if (node === undefined) return [`${name} does not exist`];
        const ofModel = node.inventory.gpus.filter((gpu) => gpu.model === model);
        const free = ofModel.filter(({ index }) => (node.holds[index] ?? []).length === 0 && node.health[index]?.healthy === true).length;
        const isOpen = node.availability.kind === 'ready' && node.cordon === null && node.spare === null;
        const holds: Readonly<Record<string, boolean>> = {
          fits: isOpen && free >= spec.gpusPerWorker,
          kept: isOpen && free >= spec.gpusPerWorker,
          tooFewFree: isOpen && free < spec.gpusPerWorker,
          full: isOpen && free < spec.gpusPerWorker,
          unhealthy: isOpen && ofModel.some(({ index }) => node.health[index]?.healthy === false),
          cordoned: node.cordon !== null,
          lost: node.availability.kind !== 'ready',
          spare: node.spare !== null,
          exclusive: isOpen,
          notEmpty: isOpen && spec.exclusive !== null,
          tooSmall: ofModel.length < spec.gpusPerWorker,
          otherModel: ofModel.length === 0,
          avoided: spec.avoidNodes.includes(name),
        };
        return holds[why] === true ? [] : [`${name} is ${why}, with ${free} free GPUs`];
      }),
    ),
  );
}

/** Who waits for room and has no limit finds no domain that would hold it. */
function untrueRooms(verdict: Verdict): readonly string[] {
  const isLimited = verdict.queues.some(({ quotas }) => quotas.some(({ limit }) => limit !== null));
  if (!isShort(verdict) || isLimited) return [];
  return verdict.rooms.flatMap(({ model, levels }) => {
    const wanted = levels.find(({ isRequired }) => isRequired) ?? levels[0];
    return wanted?.host === 0 ? [] : [`${model}: ${wanted?.host} of ${wanted?.level} would hold it`];
  });
}

/** Who is waited for holds GPUs, and is gone in time. */
function untrueOutlook(cluster: FakeCluster, { wait, outlook }: Verdict): readonly string[] {
  const { startsByMs, waitsFor } = outlook;
  if (wait.kind !== 'Reserved' && wait.kind !== 'WaitingForVictims') return [];
  return waitsFor.flatMap(({ job, goneByMs }) => {
    const phase = [...cluster.view.jobs.values()].find(({ name }) => name === job)?.phase.kind;
    const isInTime = startsByMs === null || (goneByMs !== null && goneByMs <= startsByMs);
    return phase === 'active' && isInTime ? [] : [`${job} is ${phase}, gone by ${goneByMs} of ${startsByMs}`];
  });
}
