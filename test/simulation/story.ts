import { jobName, queueName, userName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import { applyJob, applyQueue, disturb, FakeCluster } from './fakeCluster.ts';
import { makePeace } from './makePeace.ts';
import type { Random } from '#sim/random.ts';
import { createRandom } from '#sim/random.ts';

/** Seconds of trouble before the peace. */
const troubleSeconds = 90;
const queues = ['default', 'red', 'blue'] as const;
const users = ['alice', 'bob', 'carol'] as const;

/**
 * A crowded cluster of two racks whose jobs want each other's places: priorities, two queues with guarantees, jobs that
 * may not be asked to leave or not yet, segments, and trouble all the while.
 */
export function beginStory(seed: number): { readonly cluster: FakeCluster; readonly random: Random } {
  const cluster = new FakeCluster({ racks: 2, nodesPerRack: 2, gpus: 4 });
  cluster.step([applyQueue('red', { guaranteed: { H100: 6 } }), applyQueue('blue', { guaranteed: { H100: 4 } })]);
  return { cluster, random: createRandom(seed) };
}

/** One second: somebody may want something, something may go wrong. What happened, for the report of a failing seed. */
export function liveSecond(cluster: FakeCluster, random: Random, second: number): readonly string[] {
  const happened: string[] = [];
  if (random.chance(0.3)) {
    const spec = drawSpec(random);
    const user = random.pick(users) ?? 'alice';
    cluster.step([applyJob(`j${second}`, spec, user)]);
    happened.push(`${second}: ${user} applies j${second} ${JSON.stringify(spec)}`);
  }
  if (random.chance(0.2)) happened.push(`${second}: ${random.chance(0.5) ? disturb(cluster, random) : meddle(cluster, random)}`);
  cluster.tick();
  return happened;
}

/** Two of three gangs have a mesh, every other one of these with bytes of its own. */
function meshOf(workers: number, gpusPerWorker: number, priority: number): Pick<JobSpec, 'mesh' | 'traffic'> {
  if (gpusPerWorker === 0 || workers === 3) return { mesh: [], traffic: {} };
  const mesh: JobSpec['mesh'] = [
    { axis: 'data', size: workers },
    { axis: 'expert', size: gpusPerWorker },
  ];
  return { mesh, traffic: priority > 10 ? { data: 2 ** 40, expert: 2 ** 20 } : {} };
}

function drawSpec(random: Random): Partial<JobSpec> {
  const workers = 1 + random.below(4);
  const gpusPerWorker = random.pick([0, 1, 1, 2, 2, 4]) ?? 1;
  const priority = random.pick([10, 10, 20, 50, 90]) ?? 20;
  return {
    workers,
    gpusPerWorker,
    ...meshOf(workers, gpusPerWorker, priority),
    priority,
    queue: queueName(random.pick(queues) ?? 'default'),
    preemptible: random.chance(0.8),
    minRuntimeMs: random.chance(0.3) ? 10_000 : 0,
    restarts: { max: 50, withinMs: null },
    segments: workers % 2 === 0 && random.chance(0.3) ? [{ level: 'rack', workers: 2 }] : [],
    exclusive: random.chance(0.06) ? 'rack' : null,
    spread: workers <= 4 && random.chance(0.1) ? { level: 'rack', max: 2 } : null,
  };
}

/** Somebody changes the mind about a job, above all about one that was promised a place. */
function meddle(cluster: FakeCluster, random: Random): string {
  const living = [...cluster.view.jobs.values()].filter((job) => job.phase.kind !== 'finished');
  const nominees = living.filter((job) => job.nomination !== null);
  const name = random.pick(nominees.length > 0 && random.chance(0.7) ? nominees : living)?.name;
  if (name === undefined) return 'nothing';
  const user = userName('bob');
  const deeds = [
    () => (cluster.step([{ kind: 'deleteJob', name, user, now: false }]), `delete ${name}`),
    () => (cluster.step([{ kind: 'holdJob', name, user }]), `hold ${name}`),
    () => (cluster.step([{ kind: 'releaseJob', name, user }]), `release ${name}`),
    () => (cluster.step([{ kind: 'nextJob', name: jobName(name), user }]), `next ${name}`),
    () => (cluster.step([{ kind: 'prioritizeJob', name, user, priority: random.below(100) }]), `priority of ${name}`),
  ];
  return random.pick(deeds)?.() ?? 'nothing';
}

/** A whole story, told to its end: every job has finished, or a report of who has not and why. */
export function liveStory(seed: number): { readonly cluster: FakeCluster; readonly story: readonly string[] } {
  const { cluster, random } = beginStory(seed);
  const story: string[] = [];
  for (let second = 0; second < troubleSeconds; second += 1) story.push(...liveSecond(cluster, random, second));
  makePeace(cluster);
  for (let second = 0; second < 2_000; second += 1) {
    if ([...cluster.view.jobs.values()].every((job) => job.phase.kind === 'finished')) return { cluster, story };
    cluster.tick();
  }
  throw new Error(`they do not end: ${cluster.placements().join('; ')}\n${story.join('\n')}`);
}
