import { desiredFor } from '#core/desired.ts';
import { defaultPolicy } from '#controller/limits.ts';
import type { Input } from '#core/inputs.ts';
import type { Amounts } from '#core/ledger/amounts.ts';
import { readJobLedger, readLedger } from '#core/ledger/readLedger.ts';
import { currentAttempt } from '#core/state/state.ts';
import type { JobView } from '#core/state/view.ts';
import { applyJob, applyQueue, FakeCluster, onNodes, reserve } from '#test/simulation/fakeCluster.ts';
import { assertNever } from '#vocabulary/assert.ts';
import type { AssignedWorker } from '#vocabulary/assignment.ts';
import { jobName, nodeName, queueName, reservationName, userName } from '#vocabulary/ids.ts';
import { dependencyConditions, meshAxes, type DependencySpec, type JobSpec } from '#vocabulary/job.ts';
import { describeVerdict } from '#vocabulary/describeVerdict.ts';
import { describeWait } from '#vocabulary/reasons.ts';
import type { Words } from './words.ts';

/**
 * One scenario under way: commands in, what people would be told out. Every command that makes time pass or asks for
 * something prints the events that it led to (`seconds object reason message`); the others print a table.
 */
export class Scenario {
  #cluster = new FakeCluster({ racks: 1, nodesPerRack: 1, gpus: 1 });
  #bornAtMs = this.#cluster.nowMs;
  #toldUpTo = 0;
  #program = { total: 20, saveEvery: 5 };

  run(words: Words): readonly string[] {
    const before = this.#change(words);
    if (before !== null) return [...before, ...this.#news()];
    return this.#show(words);
  }

  /** Refusals; null: not a command that changes something. */
  #change(words: Words): readonly string[] | null {
    const { verb, name } = words;
    switch (verb) {
      case 'cluster':
        this.#cluster = new FakeCluster(
          {
            racks: words.number('racks', 1),
            nodesPerRack: words.number('nodes', 1),
            gpus: words.number('gpus', 1),
          },
          { spares: { ...defaultPolicy.spares, level: words.text('pools', ''), nodes: words.number('spares', 0) } },
        );
        this.#bornAtMs = this.#cluster.nowMs;
        this.#toldUpTo = this.#cluster.state.revision;
        return [];
      case 'program':
        this.#program = { total: words.number('steps', 20), saveEvery: words.number('save', 5) };
        return [];
      case 'tick':
        for (let second = 0; second < Number(name); second += 1) this.#cluster.tick(this.#program);
        return [];
      case 'cut':
        this.#cluster.cut.add(this.#cluster.agent(name));
        return [];
      case 'power-off':
        this.#cluster.agent(name).powerOff();
        this.#cluster.cut.add(this.#cluster.agent(name));
        return [];
      case 'reconnect':
        this.#cluster.reconnect(this.#cluster.agent(name));
        return [];
      case 'crash':
        return this.#crash(words);
      case 'gpu':
        this.#cluster.agent(name).setHealth(Number(words.rest[0]), words.rest[1] !== 'sick');
        return [];
      default:
        return this.#ask(words);
    }
  }

  /** The program's worker exits by itself. */
  #crash(words: Words): readonly string[] {
    const job = this.#cluster.job(words.name);
    const worker = words.number('worker', 0);
    const attempt = currentAttempt(job);
    const node = attempt?.placement[worker]?.node ?? '';
    this.#cluster.agent(node).crashOne(`${job.uid}/${attempt?.number}/${worker}`, words.number('exit', 1));
    return [];
  }

  #ask(words: Words): readonly string[] | null {
    const input = inputOf(words, this.#bornAtMs);
    if (input === null) return null;
    if (input.kind === 'applyJob' && words.has('steps')) this.#cluster.steps.set(input.uid, words.number('steps', 0));
    return this.#cluster.step([input]).flatMap((reply) => {
      if (reply.kind === 'refused') return [`refused ${reply.code} ${reply.field === '' ? '' : `${reply.field}: `}${reply.message}`];
      if (reply.kind === 'applied') return [`${reply.outcome}`];
      return reply.kind === 'changed' && !reply.changed ? ['nothing changed'] : [];
    });
  }

  #news(): readonly string[] {
    const news = this.#cluster.view.recent.filter((event) => event.revision > this.#toldUpTo);
    this.#toldUpTo = this.#cluster.state.revision;
    return news.map((event) => {
      const mark = event.type === 'Warning' ? '!' : ' ';
      return `${this.#seconds(event.atMs)}s${mark} ${event.objectName} ${event.reason}: ${event.message}`;
    });
  }

  #seconds(atMs: number): string {
    return String((atMs - this.#bornAtMs) / 1000).padStart(3);
  }

  #show({ verb, name }: Words): readonly string[] {
    const { view, nowMs } = this.#cluster;
    switch (verb) {
      case 'jobs':
        return [...view.jobs.values()].map((job) => this.#job(job));
      case 'placements':
        return this.#cluster.placements();
      case 'why':
        return this.#why(name);
      case 'nodes':
        return [...view.nodes.values()].map((node) => {
          const held = node.holds.map((holds) => holds.map(({ job }) => view.jobs.get(job)?.name).join('+') || '-').join(' ');
          const sick = node.health.flatMap((gpu, index) => (gpu.healthy ? [] : [` gpu${index}=${gpu.code}`])).join('');
          const spare = node.spare === null ? '' : ' spare';
          const reserved = node.reserved === null ? '' : ` ${node.reserved.purpose} ${node.reserved.name}`;
          return `${node.name} ${node.availability.kind}${node.cordon === null ? '' : ' cordoned'}${spare}${reserved}${sick} | ${held}`;
        });
      case 'desired':
        return desiredFor(view, nodeName(name)).workers.map(describeDesire);
      case 'attempts':
        return this.#cluster.job(name).attempts.map((attempt) => {
          const end =
            attempt.end === null
              ? attempt.stage.kind
              : `${attempt.end.reasons.join('+')}${attempt.end.charged ? ' charged' : ''}: ${attempt.end.message}`;
          return `${attempt.number} from step ${attempt.resume?.step ?? 0} to ${attempt.lastStep}, ${end}`;
        });
      case 'ledger':
        if (name === '') {
          const { capacity, amounts } = readLedger(view, nowMs);
          return [...printAmounts(amounts), `capacity ${capacity / 1_000_000n}`];
        }
        return printAmounts(readJobLedger(view, this.#cluster.job(name), nowMs));
      default:
        throw new Error(`no command is called "${verb}"`);
    }
  }

  /** As `shoal why` prints it. */
  #why(name: string): readonly string[] {
    const verdict = this.#cluster.verdictOf(this.#cluster.job(name));
    if (verdict === null) return [`${name} does not wait`];
    return describeVerdict(verdict, name).map(({ title, text }) => `${title.padEnd(13)}${text}`);
  }

  #job(job: JobView): string {
    const wait = this.#cluster.waits.get(job.uid);
    const { application, infrastructure, preemption } = { ...job.restarts, application: job.restarts.applicationAtMs.length };
    const parts = [
      job.name,
      phaseOf(job),
      `step ${job.progress?.step ?? '-'}`,
      `checkpoint ${job.checkpoint?.step ?? '-'}`,
      `restarts application=${application} infrastructure=${infrastructure} preemption=${preemption}`,
    ];
    if (job.phase.kind === 'pending' && wait !== undefined) parts.push(describeWait(wait));
    if (job.phase.kind === 'finished') parts.push(job.phase.message);
    return parts.join(' | ');
  }
}

function phaseOf(job: JobView): string {
  const { phase } = job;
  switch (phase.kind) {
    case 'active':
      return currentAttempt(job)?.stage.kind ?? '?';
    case 'finished':
      return `${phase.outcome} (${phase.reason})`;
    case 'pending':
    case 'suspended':
      return phase.kind;
    default:
      return assertNever(phase);
  }
}

/** What a person asks for; null: it is no such command. */
function inputOf(words: Words, bornAtMs: number): Input | null {
  const { verb, name } = words;
  const [user, node] = [userName(words.text('user', 'alice')), nodeName(name)];
  switch (verb) {
    case 'apply':
      return applyOf(words, bornAtMs);
    case 'queue':
      return applyQueue(name, {
        parent: words.has('parent') ? queueName(words.text('parent', '')) : null,
        hold: words.text('hold', 'no') === 'yes',
        guaranteed: words.has('guaranteed') ? { H100: words.number('guaranteed', 0) } : {},
        limit: words.has('limit') ? { H100: words.number('limit', 0) } : {},
        perUser: {
          limit: words.has('userLimit') ? { H100: words.number('userLimit', 0) } : {},
          maxRunning: words.has('userJobs') ? words.number('userJobs', 0) : null,
        },
      });
    case 'reserve':
      return reservationOf(words, bornAtMs);
    case 'unreserve':
      return { kind: 'deleteReservation', name: reservationName(name), user };
    case 'suspend':
      return { kind: 'suspendJob', name: jobName(name), user };
    case 'resume':
      return { kind: 'resumeJob', name: jobName(name), user };
    case 'hold':
      return { kind: 'holdJob', name: jobName(name), user };
    case 'release':
      return { kind: 'releaseJob', name: jobName(name), user };
    case 'next':
      return { kind: 'nextJob', name: jobName(name), user };
    case 'priority':
      return { kind: 'prioritizeJob', name: jobName(name), user, priority: Number(words.rest[0]) };
    case 'delete':
      return { kind: 'deleteJob', name: jobName(name), user, now: words.rest.includes('now') };
    case 'cordon':
    case 'drain':
      return { kind: 'cordonNode', node, user, reason: words.text('reason', ''), drain: verb === 'drain' };
    case 'uncordon':
      return { kind: 'uncordonNode', node, user };
    default:
      return null;
  }
}

/** Times are seconds since the cluster was made. */
function applyOf(words: Words, bornAtMs: number): Input {
  const timeOf = (key: string): number | null => (words.has(key) ? bornAtMs + words.number(key, 0) * 1000 : null);
  return applyJob(
    words.name,
    {
      queue: queueName(words.text('queue', 'default')),
      priority: words.number('priority', 20),
      preemptible: words.text('preemptible', 'yes') === 'yes',
      workers: words.number('workers', 1),
      gpusPerWorker: words.number('gpus', 1),
      gpuModels: words
        .text('model', '')
        .split(',')
        .filter((model) => model !== ''),
      avoidNodes: words
        .text('avoid', '')
        .split(',')
        .filter((node) => node !== ''),
      after: afterOf(words.text('after', '')),
      startAfterMs: timeOf('notBefore'),
      deadlineMs: timeOf('deadline'),
      array: words.has('array') ? { count: words.number('array', 1), parallelism: words.has('at') ? words.number('at', 1) : null } : null,
      minRuntimeMs: words.number('minRuntime', 0) * 1000,
      spares: words.number('spares', 0),
      ...placesOf(words),
      ...sizesOf(words),
      restarts: { max: words.number('restarts', 0), withinMs: words.has('within') ? words.number('within', 0) * 1000 : null },
      maxRuntimeMs: words.has('maxRuntime') ? words.number('maxRuntime', 0) * 1000 : null,
    },
    words.text('user', 'alice'),
  );
}

/** `elastic=2-8`, `mesh=pipeline:2,data:2`. */
function sizesOf(words: Words): Pick<JobSpec, 'elastic' | 'mesh'> {
  const [minWorkers, maxWorkers] = words.text('elastic', '').split('-').map(Number);
  const axes = words
    .text('mesh', '')
    .split(',')
    .map((axis) => axis.split(':'));
  return {
    elastic: minWorkers === undefined || maxWorkers === undefined ? null : { minWorkers, maxWorkers },
    mesh: meshAxes.flatMap((axis) => axes.flatMap(([name, size]) => (name === axis ? [{ axis, size: Number(size) }] : []))),
  };
}

/** `nodes=n11,n12` or `domain=rack/r1` or `count=2`; times are seconds: `start` since the cluster was made, else now. */
function reservationOf(words: Words, bornAtMs: number): Input {
  const list = (key: string): readonly string[] => words.text(key, '').split(',').filter(Boolean);
  const [domains, count] = [list('domain'), words.number('count', 0)];
  const counted = { kind: 'count', of: 'nodes', amount: count, model: null, level: null } as const;
  return reserve(words.name, {
    reason: words.text('reason', ''),
    nodes: count > 0 ? counted : domains.length > 0 ? { kind: 'domains', domains } : onNodes(...list('nodes')),
    users: list('users').map(userName),
    queues: list('queues').map(queueName),
    jobs: list('jobs').map(jobName),
    duration: words.number('for', 60),
    drain: words.text('drain', 'suspend') === 'runtime' ? 'runtime' : 'suspend',
    lend: words.text('lend', 'no') === 'yes',
    ...(words.has('start') ? { start: bornAtMs / 1_000 + words.number('start', 0) } : {}),
  });
}

/** `level=rack`, `prefer=rack patience=20` (seconds), `segments=rack:2`, `spread=rack:2`, `exclusive=rack`. */
function placesOf(words: Words): Partial<JobSpec> {
  const [required, preferred] = [words.text('level', ''), words.text('prefer', '')];
  const [segment, spread, exclusive] = [words.text('segments', ''), words.text('spread', ''), words.text('exclusive', '')];
  const patienceMs = words.number('patience', 0) * 1000;
  const numbered = (text: string): readonly [string, number] => {
    const [level = '', count] = text.split(':');
    return [level, Number(count)];
  };
  const [segmentLevel, segmentWorkers] = numbered(segment);
  const [spreadLevel, max] = numbered(spread);
  return {
    constraints: [
      ...(required === '' ? [] : [{ level: required, mode: 'required' as const, waitMs: null }]),
      ...(preferred === '' ? [] : [{ level: preferred, mode: 'preferred' as const, waitMs: patienceMs }]),
    ],
    segments: segment === '' ? [] : [{ level: segmentLevel, workers: segmentWorkers }],
    spread: spread === '' ? null : { level: spreadLevel, max },
    exclusive: exclusive === '' ? null : exclusive,
  };
}

/** `a,b:Failed`: Succeeded where nothing is said. */
function afterOf(text: string): readonly DependencySpec[] {
  const items = text === '' ? [] : text.split(',').map((item) => item.split(':'));
  return items.map(([job = '', wanted]) => ({
    job: jobName(job),
    condition: dependencyConditions.find((condition) => condition === wanted) ?? 'Succeeded',
  }));
}

function describeDesire({ id, gpus, desire }: AssignedWorker): string {
  const worker = `${id.job}/${id.attempt}/${id.worker} on GPU ${gpus.join(',')}:`;
  switch (desire.kind) {
    case 'run':
      return `${worker} run`;
    case 'stop':
      return `${worker} stop within ${desire.graceMs / 1000} s (${desire.reason})`;
    case 'suspend': {
      const step = desire.stage.kind === 'ask' ? '' : ` step ${desire.stage.stopStep}`;
      return `${worker} suspend within ${desire.graceMs / 1000} s, round ${desire.round}: ${desire.stage.kind}${step}`;
    }
    default:
      return assertNever(desire);
  }
}

/** GPU-seconds; what is nothing is left out. */
function printAmounts(amounts: Amounts): readonly string[] {
  return Object.entries(amounts).flatMap(([category, amount]) => (amount === 0n ? [] : [`${category} ${Number(amount) / 1_000_000}`]));
}
