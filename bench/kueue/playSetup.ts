/**
 * A set-up against the core's `step()` in virtual time: workloads arrive at Kueue's pace, run as long as Kueue's run, and
 * nothing else takes time. Two clocks:
 *
 *   free   a step takes no virtual time. What waits then waits for quota alone; the same result in every run.
 *   paid   a step takes as long as it really took, and what comes meanwhile waits for the next one, as in the controller.
 *
 * Kueue's run times are real seconds on a real control plane, so that its waits hold what its API server and its clients'
 * rate limits cost. With `paid` ours hold what the core costs, and nothing of API, store and network.
 */
import { defaultPolicy } from '#controller/limits.ts';
import type { StampedEvent } from '#core/events.ts';
import type { Input, Reply } from '#core/inputs.ts';
import { emptyState } from '#core/state/emptyState.ts';
import { step } from '#core/step.ts';
import type { JobUid } from '#vocabulary/ids.ts';
import { Agenda } from './agenda.ts';
import { applyQueues, arrivalsOf, type Arrival } from './arrivals.ts';
import { FakeNodes } from './fakeNodes.ts';
import { Recorder, type Recorded } from './recorder.ts';
import { gpusOf, type Setup } from './setups.ts';

export type Clock = 'free' | 'paid';

export interface Played extends Recorded {
  readonly workloads: number;
  /** Virtual, from the queues' creation to the last workload's end. */
  readonly makespanMs: number;
  readonly core: CoreTime;
}

/** What the steps took, from the first workload to the end of the last; nodes and queues were there before. */
interface CoreTime {
  steps: number;
  clockMs: number;
  cpuMs: number;
  longestMs: number;
}

/** Far more than any moment needs: who leaves and who comes settle in a few. */
const stepsPerMomentMax = 1_000;

/** The virtual clock's begin, milliseconds since 1970: any time will do. */
const beginMs = 1_000_000;

export function playSetup(setup: Setup, clock: Clock): Played {
  const play = new Play(setup, clock);
  while (play.goOn());
  return play.end();
}

class Play {
  readonly #setup: Setup;
  readonly #clock: Clock;
  readonly #state = emptyState();
  readonly #nodes = new FakeNodes();
  readonly #ends = new Agenda<{ readonly uid: JobUid; readonly attempt: number }>(beginMs);
  readonly #arrivals: readonly Arrival[];
  readonly #byUid: ReadonlyMap<string, Arrival>;
  readonly #recorder = new Recorder();
  readonly #core: CoreTime = { steps: 0, clockMs: 0, cpuMs: 0, longestMs: 0 };
  #nowMs = beginMs;
  #arrived = 0;
  #finished = 0;
  #tickMs = beginMs + 1_000;
  #more = false;
  #stepsOfMoment = 0;

  constructor(setup: Setup, clock: Clock) {
    this.#setup = setup;
    this.#clock = clock;
    this.#arrivals = arrivalsOf(setup);
    this.#byUid = new Map(this.#arrivals.map((arrival) => [arrival.uid, arrival]));
    this.#step([{ kind: 'createCluster', clusterId: 'bench' }, { kind: 'electLeader', version: 'bench' }, ...applyQueues(setup)]);
    this.#step(FakeNodes.hellos(setup.nodes, setup.nodesPerRack));
    Object.assign(this.#core, { steps: 0, clockMs: 0, cpuMs: 0, longestMs: 0 });
    this.#nowMs = beginMs;
  }

  /** False: all workloads have ended. */
  goOn(): boolean {
    const inputs = this.#due();
    if (inputs.length > 0 || this.#more) this.#step(inputs);
    else this.#wait();
    return this.#finished < this.#arrivals.length;
  }

  end(): Played {
    const { queuesPerCohort, cohorts, guaranteed } = this.#setup;
    const nominal = queuesPerCohort * cohorts * guaranteed;
    const makespanMs = this.#nowMs - beginMs;
    return { ...this.#recorder.end(nominal, makespanMs), workloads: this.#arrivals.length, makespanMs, core: this.#core };
  }

  #wait(): void {
    this.#nowMs = Math.ceil(this.#nextMs());
    this.#stepsOfMoment = 0;
  }

  /** All that came until now, in a fixed order. */
  #due(): readonly Input[] {
    const inputs: Input[] = [];
    for (let arrival = this.#arrivals[this.#arrived]; arrival !== undefined; arrival = this.#arrivals[this.#arrived]) {
      if (beginMs + arrival.atMs > this.#nowMs) break;
      inputs.push(arrival.input);
      this.#arrived += 1;
    }
    for (const { uid, attempt } of this.#ends.takeUntil(this.#nowMs)) this.#nodes.finish(uid, attempt);
    inputs.push(...this.#nodes.reports(this.#state));
    if (this.#tickMs <= this.#nowMs) {
      this.#tickMs = Math.floor(this.#nowMs / 1_000 + 1) * 1_000;
      inputs.push({ kind: 'tick' });
    }
    return inputs;
  }

  #nextMs(): number {
    const arrivalMs = beginMs + (this.#arrivals[this.#arrived]?.atMs ?? Infinity);
    return Math.min(arrivalMs, this.#ends.nextMs, this.#tickMs, this.#state.wakeAtMs ?? Infinity);
  }

  #step(inputs: readonly Input[]): void {
    this.#stepsOfMoment += 1;
    if (this.#clock === 'free' && this.#stepsOfMoment > stepsPerMomentMax)
      throw new Error(`jobs leave for each other without end at ${this.#nowMs - beginMs} ms`);
    const cpuBefore = process.threadCpuUsage();
    const startMs = performance.now();
    const result = step(this.#state, inputs, { nowMs: this.#nowMs, policy: defaultPolicy });
    const tookMs = performance.now() - startMs;
    const { user, system } = process.threadCpuUsage(cpuBefore);
    this.#count(tookMs, (user + system) / 1_000);
    if (this.#clock === 'paid') this.#nowMs += Math.round(tookMs);
    this.#more = result.more;
    result.replies.forEach(assertDone);
    for (const event of result.events) this.#onEvent(event);
  }

  #count(tookMs: number, cpuMs: number): void {
    this.#core.steps += 1;
    this.#core.clockMs += tookMs;
    this.#core.cpuMs += cpuMs;
    this.#core.longestMs = Math.max(this.#core.longestMs, tookMs);
  }

  /** Things happen when the step is over, not when it began. */
  #onEvent(event: StampedEvent): void {
    this.#nodes.take(event);
    if (event.kind !== 'AttemptPlaced' && event.kind !== 'AttemptEnded') return;
    const arrival = this.#byUid.get(event.uid);
    if (arrival === undefined) throw new Error(`no workload ${event.uid}`);
    const { of, atMs } = arrival;
    const workload = { uid: event.uid, of: of.name, gpus: gpusOf(of), createdMs: beginMs + atMs };
    if (event.kind === 'AttemptPlaced') {
      this.#ends.note(this.#nowMs + of.runtimeMs, { uid: event.uid, attempt: event.attempt });
      this.#recorder.admitted(workload, this.#nowMs);
    } else if (event.next.kind === 'finished') {
      if (event.next.outcome !== 'Succeeded') throw new Error(`${event.uid}: ${event.message}`);
      this.#recorder.finished(workload, this.#nowMs);
      this.#finished += 1;
    } else this.#recorder.evicted(workload, this.#nowMs);
  }
}

function assertDone(reply: Reply): void {
  if (reply.kind === 'refused') throw new Error(`${reply.code} ${reply.field}: ${reply.message}`);
}
