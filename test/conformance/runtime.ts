import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { jobName, jobUid } from '#vocabulary/ids.ts';
import type { Launch } from '#vocabulary/assignment.ts';
import type { WorkerId } from '#vocabulary/job.ts';
import type { RankEnd, RankStart, Runtime } from '#agent/ports/runtime.ts';
import { randomUUID } from 'node:crypto';

/** A machine on which agents come and go. */
export interface RuntimeGround {
  /** The runtime of an agent; once more is what a restarted agent does. */
  open(): Promise<Runtime>;
  /** The agent of that runtime dies: it hears no more, its ranks live on. */
  crash(runtime: Runtime): Promise<void>;
  /** The command of a rank that runs until `finish`. `stubborn` ones ignore SIGTERM. */
  command(kind: 'obedient' | 'stubborn' | 'missing'): readonly string[];
  /** Lets the rank end by itself. */
  finish(start: RankStart, exitCode: number): Promise<void>;
  /** Resolves when the rank's own program runs, so that a signal meets it and not its beginning. */
  settled(start: RankStart): Promise<void>;
  dispose(): Promise<void>;
}

/** A worker's id that no other test has. */
export function freshWorker(): WorkerId {
  return { job: jobUid(randomUUID()), attempt: 1, worker: 0 };
}

export function rankStart(id: WorkerId, rank: number, command: readonly string[], launch: Partial<Launch> = {}): RankStart {
  const base: Launch = {
    jobName: jobName('job'),
    workers: 1,
    nodeRank: 0,
    firstRank: 0,
    processes: 1,
    worldSize: 1,
    gpusPerWorker: 1,
    gpuShareMilli: null,
    coordinatorAddress: '127.0.0.1',
    coordinatorPort: 29500,
    command,
    env: {},
    workingDirectory: '',
    cpuMilli: null,
    memoryBytes: null,
    mesh: [],
    checkpoint: null,
  };
  return { id, rank, launch: { ...base, ...launch }, env: { PATH: '/usr/local/bin:/usr/bin:/bin', RANK: String(rank) } };
}

/** Collects the ends that a runtime tells, and waits for them one by one. */
export class EndLog {
  readonly all: RankEnd[] = [];
  readonly #waiting: ((end: RankEnd) => void)[] = [];
  #taken = 0;

  constructor(runtime: Runtime) {
    runtime.onRankEnd((end) => {
      this.all.push(end);
      this.#hand();
    });
  }

  next(): Promise<RankEnd> {
    const { promise, resolve } = Promise.withResolvers<RankEnd>();
    this.#waiting.push(resolve);
    this.#hand();
    return promise;
  }

  #hand(): void {
    for (let end = this.all[this.#taken]; end !== undefined && this.#waiting.length > 0; end = this.all[this.#taken]) {
      this.#taken += 1;
      this.#waiting.shift()?.(end);
    }
  }
}

/** What every Runtime keeps. */
export function describeRuntime(name: string, makeGround: () => Promise<RuntimeGround>): void {
  describe(`${name} as a Runtime`, () => {
    let ground: RuntimeGround;
    let runtime: Runtime;
    let ends: EndLog;
    let id: WorkerId;

    beforeEach(async () => {
      ground = await makeGround();
      runtime = await ground.open();
      ends = new EndLog(runtime);
      id = freshWorker();
    });
    afterEach(async () => {
      await runtime.signalWorker(id, 'SIGKILL');
      await ground.crash(runtime);
      await ground.dispose();
    });

    const start = async (rank: number, kind: 'obedient' | 'stubborn' = 'obedient'): Promise<RankStart> => {
      const wanted = rankStart(id, rank, ground.command(kind));
      expect((await runtime.startRank(wanted)).kind).toBe('started');
      await ground.settled(wanted);
      return wanted;
    };
    const restartAgent = async (): Promise<void> => {
      await ground.crash(runtime);
      runtime = await ground.open();
      ends = new EndLog(runtime);
    };

    test('a rank that was never started is not found and not alive', async () => {
      expect(await runtime.findRank(id, 0)).toEqual({ kind: 'never-started' });
      expect(await runtime.isWorkerAlive(id)).toBe(false);
      await runtime.signalWorker(id, 'SIGTERM');
      await runtime.forgetWorker(id);
    });

    test('a started rank is alive until it ends, and its end is told with the exit code', async () => {
      const wanted = await start(0);
      expect((await runtime.findRank(id, 0)).kind).toBe('alive');
      expect(await runtime.isWorkerAlive(id)).toBe(true);
      await ground.finish(wanted, 3);
      expect(await ends.next()).toEqual({ id, rank: 0, exitCode: 3, signal: null });
      expect(await runtime.findRank(id, 0)).toEqual({ kind: 'ended', exitCode: 3, signal: null });
      expect(ends.all).toHaveLength(1);
    });

    test('a rank starts once for a name: not while it runs, and not after its end', async () => {
      const wanted = await start(0);
      expect(await runtime.startRank(wanted)).toEqual({ kind: 'already-started' });
      await ground.finish(wanted, 0);
      await ends.next();
      expect(await runtime.startRank(wanted)).toEqual({ kind: 'already-started' });
      expect(ends.all).toHaveLength(1);
    });

    test('of starts at the same time one wins', async () => {
      const wanted = rankStart(id, 0, ground.command('obedient'));
      const results = await Promise.all([1, 2, 3, 4].map(() => runtime.startRank(wanted)));
      expect(results.map((result) => result.kind).sort()).toEqual(['already-started', 'already-started', 'already-started', 'started']);
    });

    test('a command that does not exist fails with its name, and nothing was started', async () => {
      const command = ground.command('missing');
      const result = await runtime.startRank(rankStart(id, 0, command));
      expect(result.kind).toBe('failed');
      expect(result.kind === 'failed' ? result.message : '').toContain(command[0]);
      expect(await runtime.findRank(id, 0)).toEqual({ kind: 'never-started' });
    });

    test('SIGTERM ends an obedient rank and says so', async () => {
      await start(0);
      await runtime.signalWorker(id, 'SIGTERM');
      expect(await ends.next()).toEqual({ id, rank: 0, exitCode: null, signal: 'SIGTERM' });
    });

    test('SIGTERM leaves a stubborn rank alive, SIGKILL does not', async () => {
      await start(0, 'stubborn');
      await runtime.signalWorker(id, 'SIGTERM');
      expect(await runtime.isWorkerAlive(id)).toBe(true);
      await runtime.signalWorker(id, 'SIGKILL');
      expect(await ends.next()).toEqual({ id, rank: 0, exitCode: null, signal: 'SIGKILL' });
      expect(await runtime.isWorkerAlive(id)).toBe(false);
    });

    test('a signal reaches every rank of the worker and no other worker', async () => {
      const other = freshWorker();
      expect((await runtime.startRank(rankStart(other, 2, ground.command('obedient')))).kind).toBe('started');
      await start(0);
      await start(1);
      await runtime.signalWorker(id, 'SIGKILL');
      const told = [await ends.next(), await ends.next()];
      expect(told.map((end) => end.rank).sort((a, b) => a - b)).toEqual([0, 1]);
      expect(await runtime.isWorkerAlive(other)).toBe(true);
      await runtime.signalWorker(other, 'SIGKILL');
    });

    test('a rank outlives its agent, and the next agent hears of its end', async () => {
      const wanted = await start(0);
      await restartAgent();
      expect((await runtime.findRank(id, 0)).kind).toBe('alive');
      expect(await runtime.startRank(wanted)).toEqual({ kind: 'already-started' });
      await ground.finish(wanted, 4);
      expect(await ends.next()).toEqual({ id, rank: 0, exitCode: 4, signal: null });
    });

    test('a rank that ended while no agent was there is found with its exit code, and its end is not told', async () => {
      const wanted = await start(0);
      await ground.crash(runtime);
      await ground.finish(wanted, 5);
      runtime = await ground.open();
      ends = new EndLog(runtime);
      await expect.poll(() => runtime.findRank(id, 0)).toEqual({ kind: 'ended', exitCode: 5, signal: null });
    });

    test('an adopted worker is killed like any other', async () => {
      await start(0, 'stubborn');
      await restartAgent();
      await runtime.findRank(id, 0);
      await runtime.signalWorker(id, 'SIGKILL');
      expect(await ends.next()).toEqual({ id, rank: 0, exitCode: null, signal: 'SIGKILL' });
      expect(await runtime.isWorkerAlive(id)).toBe(false);
    });

    test('a forgotten worker was never started', async () => {
      const wanted = await start(0);
      await ground.finish(wanted, 0);
      await ends.next();
      await expect.poll(() => runtime.isWorkerAlive(id)).toBe(false);
      await runtime.forgetWorker(id);
      expect(await runtime.findRank(id, 0)).toEqual({ kind: 'never-started' });
    });

    test('a worker is not forgotten while it lives', async () => {
      await start(0);
      await expect(runtime.forgetWorker(id)).rejects.toThrow(/ended before it is forgotten/);
      expect((await runtime.findRank(id, 0)).kind).toBe('alive');
    });
  });
}
