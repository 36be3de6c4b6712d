import { planJob } from '#core/plan.ts';
import type { Input, Reply } from '#core/inputs.ts';
import type { JobView } from '#core/state/view.ts';
import { currentAttempt } from '#core/state/state.ts';
import { assert, assertNever } from '#vocabulary/assert.ts';
import { jobUid, type JobUid } from '#vocabulary/ids.ts';
import { describeWait } from '#vocabulary/reasons.ts';
import { createRandom } from '../random.ts';
import type { Deed, Entry, JobPlan, Scenario } from '../scenario/scenario.ts';
import { Faults } from './faults.ts';
import type { Recorder } from './recorder.ts';
import { judgeRest } from '../promises/endings.ts';
import { realCore, type Core } from './core.ts';
import { World } from './world.ts';

/** The file asks for what cannot be; known only when it runs. */
export class ScenarioError extends Error {
  /** As in the file: `timeline[3].place`. */
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

/** What `plan` found out; nothing of it was done. */
export interface Planned {
  readonly at: number;
  readonly object: string;
  readonly outcome: 'Placed' | 'Waits' | 'Unchanged' | 'Refused';
  readonly message: string;
  readonly placement: readonly {
    readonly worker: number;
    readonly node: string;
    readonly gpus: readonly number[];
    readonly slot?: string;
  }[];
}

export interface Played {
  readonly world: World;
  readonly endedAtMs: number;
  readonly plans: readonly Planned[];
}

/** Waiting jobs that nothing will help: so long after the last change it is over. */
const stuckAfterMs = 60_000;
/** Random faults mend and strike for ever; so long without any change of a job it is over all the same. */
const hopelessAfterMs = 30 * 86_400_000;
/** Where every promise is watched: there whatever mends has mended by then, and the longest maxRuntime that is drawn is over. */
const hopelessSoonMs = 4 * 86_400_000;

/** Plays it to its end. Throws ScenarioError and BrokenPromise. */
export function playScenario(scenario: Scenario, watch: (recorder: Recorder) => void = () => undefined, core: Core = realCore): Played {
  const player = new Player(scenario, core);
  watch(player.world.recorder);
  return player.play();
}

class Player {
  readonly world: World;
  readonly #scenario: Scenario;
  readonly #core: Core;
  readonly #faults: Faults;
  readonly #plans: Planned[] = [];
  #entriesLeft: number;

  constructor(scenario: Scenario, core: Core) {
    const world = new World(scenario, core);
    this.world = world;
    this.#core = core;
    this.#scenario = scenario;
    this.#entriesLeft = scenario.timeline.length;
    this.#faults = new Faults({
      clock: world,
      timings: scenario.timings,
      agent: (name) => world.agent(name),
      programsOn: (agent) => world.programsOn(agent),
      programOf: (job) => world.programOf(job),
      silence: (agent, untilMs, withPower) => world.silence(agent, untilMs, withPower),
      warn: (object, reason, message) => this.#warn(object, reason, message),
      expectRepair: (atMs) => world.expectRepair(atMs),
    });
  }

  play(): Played {
    const { world } = this;
    const { timeline, failures, seed, untilMs } = this.#scenario;
    world.begin();
    for (const entry of timeline) {
      world.at(entry.atMs, () => {
        this.#entriesLeft -= 1;
        world.noteMoved();
        this.#act(entry);
      });
    }
    this.#meetTrouble();
    if (failures !== null) this.#faults.begin(failures, [...world.agents.values()], createRandom(seed));
    const endMs = untilMs ?? Number.POSITIVE_INFINITY;
    while (untilMs !== null || !this.#isOver()) {
      if (!world.advance(endMs)) break;
    }
    this.#checkEnd();
    return { world, endedAtMs: world.nowMs(), plans: this.#plans };
  }

  #meetTrouble(): void {
    const { trouble } = this.#scenario;
    if (trouble === null) return;
    const { world } = this;
    const at = (atMs: number, run: () => void): void => {
      this.#entriesLeft += 1;
      world.at(atMs, () => {
        this.#entriesLeft -= 1;
        world.noteMoved();
        run();
      });
    };
    for (const restart of trouble.controllerRestarts) at(restart.atMs, () => world.killController(restart));
    for (const { atMs, node } of trouble.agentRestarts) at(atMs, () => world.restartAgent(node));
    for (const { atMs, verb, job: name, user } of trouble.orders) {
      const input: Input = verb === 'delete-now' ? { kind: 'deleteJob', name, user, now: true } : { kind: orderInputs[verb], name, user };
      at(atMs, () => this.#request(`job/${name}`, input));
    }
  }

  #checkEnd(): void {
    const { world } = this;
    const { strict, view, recorder } = world;
    if (strict === null || world.isControllerDead) return;
    const nowMs = world.nowMs();
    strict.checkEnd(view, [...recorder.jobs.values()], nowMs, () => world.fold());
    if (this.#scenario.untilMs !== null) return;
    const { nodes, policy } = this.#scenario;
    const rest = {
      state: view,
      waits: recorder.lastPass.waits,
      agents: world.agents.values(),
      nodes,
      policy,
      nowMs,
      isEndless: (job: JobView) => this.#isEndless(job),
    };
    for (const wrong of judgeRest(this.#core, rest)) throw strict.broken(wrong, nowMs, 'the end', 'everything that can finish finishes');
  }

  #isOver(): boolean {
    // What it comes back with is looked at, too.
    if (this.#entriesLeft > 0 || this.world.isControllerDead) return false;
    const { world } = this;
    const open = [...world.view.jobs.values()].filter(({ phase }) => phase.kind === 'pending' || phase.kind === 'active');
    if (open.length === 0) return true;
    if (this.#isReservationToEnd()) return false;
    const quietMs = world.nowMs() - world.movedAtMs;
    if (quietMs < Math.max(stuckAfterMs, 2 * this.#scenario.timings.lostMs)) return false;
    if (quietMs >= (world.strict === null ? hopelessAfterMs : hopelessSoonMs)) return true;
    if (open.some((job) => job.phase.kind === 'active' && !this.#isEndless(job))) return false;
    // Who is mended has to be heard first, and to be used.
    return world.nowMs() >= world.repairsUntilMs + stuckAfterMs;
  }

  /** Somebody may start when it is over. One that repeats never is. */
  #isReservationToEnd(): boolean {
    return [...this.world.view.reservations.values()].some(({ spec, occurrence }) => spec.repeat === null && occurrence !== null);
  }

  /** It runs, and will for ever. */
  #isEndless(job: JobView): boolean {
    const attempt = currentAttempt(job);
    if (attempt?.stage.kind !== 'running' || job.spec.maxRuntimeMs !== null) return false;
    return this.world.program(job.uid, attempt.number)?.isEndless === true;
  }

  #act(entry: Entry): void {
    const { world } = this;
    const { deed, user } = entry;
    switch (deed.kind) {
      case 'applyJob':
        return this.#applyJob(entry, deed);
      case 'applyQueue':
        return this.#request(`queue/${deed.name}`, { kind: 'applyQueue', name: deed.name, labels: deed.labels, spec: deed.spec });
      case 'applyReservation': {
        const { name, labels, spec } = deed;
        return this.#request(`reservation/${name}`, { kind: 'applyReservation', name, user, labels, spec });
      }
      case 'fault':
        return this.#faults.strike(deed.fault);
      case 'cordon':
      case 'drain':
        return this.#request(`node/${deed.node}`, { kind: 'cordonNode', node: deed.node, user, reason: '', drain: deed.kind === 'drain' });
      case 'uncordon':
        return this.#request(`node/${deed.node}`, { kind: 'uncordonNode', node: deed.node, user });
      case 'delete':
        return this.#request(`job/${deed.job}`, { kind: 'deleteJob', name: deed.job, user, now: false });
      case 'suspend':
        return this.#request(`job/${deed.job}`, { kind: 'suspendJob', name: deed.job, user });
      case 'resume':
        return this.#request(`job/${deed.job}`, { kind: 'resumeJob', name: deed.job, user });
      case 'priority':
        return this.#request(`job/${deed.job}`, { kind: 'prioritizeJob', name: deed.job, user, priority: deed.value });
      case 'plan':
        return world.afterTurns(() => this.#plan(entry, deed.job));
      default:
        return assertNever(deed);
    }
  }

  #applyJob(entry: Entry, deed: Extract<Deed, { kind: 'applyJob' }>): void {
    const { name, labels, annotations, spec, program, place } = deed;
    const uid = uidOf(entry, name);
    this.world.expectProgram(uid, program);
    this.#request(`job/${name}`, { kind: 'applyJob', name, uid, user: entry.user, labels, annotations, spec });
    if (place === null) return;
    const places = [...place].map(([node, workers]) => ({ node, workers }));
    this.world.offer({ kind: 'placeJob', name, places }, (reply) => {
      if (reply.kind === 'refused') throw new ScenarioError(`timeline[${entry.index}].place`, reply.message);
    });
  }

  #plan(entry: Entry, job: JobPlan): void {
    const request = { kind: 'applyJob', uid: uidOf(entry, job.name), user: entry.user, ...job } as const;
    const { reply, decision } = planJob(this.world.view, request, this.world.context);
    const placement = decision?.ok === true ? decision.placement.map((place, worker) => ({ worker, ...place })) : [];
    const outcome = decision === null ? (reply.kind === 'refused' ? 'Refused' : 'Unchanged') : decision.ok ? 'Placed' : 'Waits';
    const message = reply.kind === 'refused' ? reply.message : decision?.ok === false ? describeWait(decision.wait) : '';
    this.#plans.push({ at: this.world.nowMs(), object: `job/${job.name}`, outcome, message, placement });
  }

  /** A refusal is part of the story: told, and the story goes on. */
  #request(object: string, input: Input): void {
    this.world.offer(input, (reply: Reply) => {
      if (reply.kind === 'refused') this.#warn(object, 'Refused', `${input.kind}: ${reply.message}`);
    });
  }

  #warn(object: string, reason: string, message: string): void {
    assert(object !== '', 'a warning is about something');
    this.world.recorder.warn(this.world.nowMs(), object, reason, message);
  }
}

const orderInputs = { hold: 'holdJob', release: 'releaseJob', next: 'nextJob' } as const;

/** In the order of the timeline, since ties between jobs break on it. */
const uidOf = ({ index }: Entry, name: string): JobUid => jobUid(`${String(index).padStart(6, '0')}-${name}`);
