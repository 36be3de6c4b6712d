/** Every program of a scenario: one an attempt, from the time that its first worker runs. */
import type { Launch } from '#vocabulary/assignment.ts';
import type { JobUid } from '#vocabulary/ids.ts';
import type { WorkerId } from '#vocabulary/job.ts';
import type { ProgramPlan } from '../scenario/scenario.ts';
import type { Clock } from './clock.ts';
import type { SimAgent } from './simAgent.ts';
import { SimProgram } from './simProgram.ts';

export class Roster {
  readonly #clock: Clock;
  readonly #programs = new Map<string, SimProgram>();
  /** By node: programs with a worker there; ended ones are dropped as new ones come. */
  readonly #running = new Map<SimAgent, readonly SimProgram[]>();
  readonly #newest = new Map<JobUid, SimProgram>();
  readonly #plans = new Map<string, ProgramPlan>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  expect(uid: JobUid, plan: ProgramPlan): void {
    this.#plans.set(uid, plan);
  }

  /** The uids of an array's jobs are that of the array with a number behind it. */
  planOf(uid: JobUid): ProgramPlan | undefined {
    return this.#plans.get(uid) ?? this.#plans.get(uid.replace(/-\d+$/, ''));
  }

  /** null: it has not started on all nodes, or never will. */
  find({ job, attempt }: Pick<WorkerId, 'job' | 'attempt'>): SimProgram | null {
    return this.#programs.get(`${job}/${attempt}`) ?? null;
  }

  on(agent: SimAgent): readonly SimProgram[] {
    return (this.#running.get(agent) ?? []).filter((program) => !program.isOver);
  }

  onWorkerUp(agent: SimAgent, id: WorkerId, launch: Launch): void {
    const program = this.#programFor(id, launch);
    if (program === null) return;
    const here = this.on(agent);
    if (!here.includes(program)) this.#running.set(agent, [...here, program]);
    program.join(agent, id);
  }

  #programFor(id: WorkerId, launch: Launch): SimProgram | null {
    const known = this.find(id);
    if (known !== null) return known;
    const plan = this.planOf(id.job);
    if (plan === undefined) return null;
    const program = new SimProgram(plan, launch, this.#newest.get(id.job) ?? null, this.#clock);
    this.#programs.set(`${id.job}/${id.attempt}`, program);
    this.#newest.set(id.job, program);
    return program;
  }
}
