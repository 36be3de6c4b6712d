import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type WorkerId, workerKey } from '#vocabulary/job.ts';
import { assert } from '#vocabulary/assert.ts';
import type { RankStart, Runtime, StartResult } from '#agent/ports/runtime.ts';
import { removeCgroups } from './cgroupMembers.ts';
import { type CgroupPlaces, type Cgroups, detectCgroups, systemCgroups } from './cgroups.ts';
import { defaultPath, findLaunchTrouble } from './checkLaunch.ts';
import { lookForRank } from './lookForRank.ts';
import { launchRank, type RankUser } from './launchRank.ts';
import type { LogLimits } from './logFiles.ts';
import { openProcessTable, type ProcessTable } from './processTable.ts';
import { compileBecomeUser, compileRankCommand } from './rankCommand.ts';
import { RankWatch } from './rankWatch.ts';
import { readClaim, workerFiles, workerFolderName } from './workerFiles.ts';
import { killWorker, listWorkerProcesses, readCgroupFolders, terminateWorker } from './workerProcesses.ts';
import { workerKeyVariable } from './workerTree.ts';

/**
 * Ranks as processes of this machine. Each is led by a small shell script (launch.sh) in a session of its own, which
 * outlives the agent and keeps the exit status; the worker's ranks share a cgroup where the machine allows one. All that
 * a later agent must know lies in the control folder (workerFiles.ts), nothing only in memory.
 */
export interface ProcessRuntimeOptions {
  /** The agent's folder: control folders in `workers/`, logs in `logs/`. Two agents of a machine have two. */
  readonly root: string;
  /** Where ranks run whose job names no folder, and what a relative one is relative to. */
  readonly workDir: string;
  /** auto: where this machine has them and lets us. */
  readonly cgroups: 'auto' | 'off';
  /** null: the agent's own user. Another one needs root. */
  readonly user: RankUser | null;
  readonly logLimits: LogLimits;
  /** Told of what this machine cannot do, once, and of trouble in the background. */
  readonly notice: (message: string) => void;
  readonly cgroupPlaces?: CgroupPlaces;
}

export interface ProcessRuntime extends Runtime {
  /** What holds a worker's processes together. */
  readonly isolation: 'cgroup-v1' | 'cgroup-v2' | 'process-group';
  /** Stops watching; the ranks live on. */
  close(): Promise<void>;
}

export async function createProcessRuntime(options: ProcessRuntimeOptions): Promise<ProcessRuntime> {
  assert(options.logLimits.files >= 1 && options.logLimits.fileBytes >= 1, 'log limits keep at least one old file of one byte');
  const root = resolve(options.root);
  await mkdir(resolve(root, 'workers'), { recursive: true });
  // Whoever can write a claim can name a process for us to kill.
  await chmod(resolve(root, 'workers'), 0o700);
  const table = await openProcessTable();
  const cgroups = options.cgroups === 'off' ? null : await findCgroups(options, root);
  return new ProcessGroups({ ...options, root, table, cgroupsInUse: cgroups, becomeUser: await compileBecomeUser(options.user) });
}

async function findCgroups(options: ProcessRuntimeOptions, root: string): Promise<Cgroups | null> {
  const detected = await detectCgroups(options.cgroupPlaces ?? systemCgroups, root);
  if (detected.kind === 'none') {
    options.notice(`workers run without cgroups, so limits of memory and CPU are not kept: ${detected.why}`);
    return null;
  }
  for (const gap of detected.cgroups.gaps) options.notice(gap);
  return detected.cgroups;
}

interface Machine extends ProcessRuntimeOptions {
  readonly table: ProcessTable;
  readonly cgroupsInUse: Cgroups | null;
  readonly becomeUser: readonly string[];
}

class ProcessGroups implements ProcessRuntime {
  readonly #machine: Machine;
  readonly #watch: RankWatch;
  /** Starts under way by worker: a kill waits for them, and then finds their processes. */
  readonly #starting = new Map<string, Set<Promise<StartResult>>>();
  /** Control folder and cgroup of a worker, made once. */
  readonly #prepared = new Map<string, Promise<readonly string[]>>();

  constructor(machine: Machine) {
    this.#machine = machine;
    const { root, table, logLimits, notice } = machine;
    this.#watch = new RankWatch({ root, logLimits, notice, look: (id, rank) => lookForRank(table, workerFiles(root, id), rank) });
  }

  get isolation(): 'cgroup-v1' | 'cgroup-v2' | 'process-group' {
    return this.#machine.cgroupsInUse === null ? 'process-group' : `cgroup-${this.#machine.cgroupsInUse.version}`;
  }

  async startRank(start: RankStart): Promise<StartResult> {
    const key = workerKey(start.id);
    const starts = this.#starting.get(key) ?? new Set<Promise<StartResult>>();
    this.#starting.set(key, starts);
    const result = this.#start(start);
    starts.add(result);
    try {
      return await result;
    } finally {
      starts.delete(result);
      if (starts.size === 0) this.#starting.delete(key);
    }
  }

  async findRank(id: WorkerId, rank: number) {
    const found = await lookForRank(this.#machine.table, workerFiles(this.#machine.root, id), rank);
    if (found.kind === 'alive') this.#watch.watchAdopted(id, rank);
    return found;
  }

  async signalWorker(id: WorkerId, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.#settleStarts(id);
    const files = workerFiles(this.#machine.root, id);
    if (signal === 'SIGTERM') await terminateWorker(this.#machine.table, files, id);
    else await killWorker(this.#machine.table, files, id);
  }

  async isWorkerAlive(id: WorkerId): Promise<boolean> {
    await this.#settleStarts(id);
    return (await listWorkerProcesses(this.#machine.table, workerFiles(this.#machine.root, id), id)).length > 0;
  }

  async forgetWorker(id: WorkerId): Promise<void> {
    assert(!(await this.isWorkerAlive(id)), `worker ${workerKey(id)} has ended before it is forgotten`);
    const files = workerFiles(this.#machine.root, id);
    this.#watch.forgetWorker(id);
    this.#prepared.delete(workerKey(id));
    await removeCgroups(await readCgroupFolders(files));
    await rm(files.folder, { recursive: true, force: true });
  }

  onRankEnd(listener: Parameters<Runtime['onRankEnd']>[0]): void {
    this.#watch.addListener(listener);
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#starting.values()].flatMap((starts) => [...starts]));
    this.#watch.close();
  }

  async #start(start: RankStart): Promise<StartResult> {
    const { root, table, workDir, user, becomeUser } = this.#machine;
    const folder = resolve(workDir, start.launch.workingDirectory);
    const trouble = await findLaunchTrouble(start.launch.command, folder, start.env['PATH'] ?? defaultPath);
    if (trouble !== null) return { kind: 'failed', message: trouble };
    const files = workerFiles(root, start.id);
    if ((await readClaim(files, start.rank)).kind !== 'none') return { kind: 'already-started' };
    try {
      const cgroupFolders = await this.#prepare(start);
      const env = { ...start.env, [workerKeyVariable]: workerKey(start.id) };
      const command = compileRankCommand(start.launch.command, env, becomeUser);
      return await this.#launch(start, { root, files, bootId: table.bootId, folder, env, command, cgroupFolders, user });
    } catch (error) {
      return { kind: 'failed', message: `rank ${start.rank} cannot be started: ${error instanceof Error ? error.message : String(error)}` };
    }
  }

  async #launch(start: RankStart, plan: Parameters<typeof launchRank>[1]): Promise<StartResult> {
    const launched = await launchRank(start, plan);
    if (launched.kind === 'already-started' || launched.kind === 'failed') return launched;
    const claim = await readClaim(plan.files, start.rank);
    if (claim.kind !== 'whole' || (launched.kind === 'silent' && claim.process.pid !== launched.pid)) {
      return { kind: 'failed', message: `the launcher of rank ${start.rank} ended before it began; its error log may say why` };
    }
    this.#watch.watchChild(start.id, start.rank, launched.ended);
    return { kind: 'started', process: claim.process };
  }

  /** Written down before it is made: a cgroup that nobody remembers would never be removed. */
  #prepare(start: RankStart): Promise<readonly string[]> {
    const key = workerKey(start.id);
    const known = this.#prepared.get(key);
    if (known !== undefined) return known;
    const made = this.#makeWorker(start);
    this.#prepared.set(key, made);
    made.catch(() => this.#prepared.delete(key));
    return made;
  }

  async #makeWorker(start: RankStart): Promise<readonly string[]> {
    const files = workerFiles(this.#machine.root, start.id);
    await mkdir(files.folder, { recursive: true, mode: 0o700 });
    const cgroups = this.#machine.cgroupsInUse;
    if (cgroups === null) return [];
    const name = workerFolderName(start.id);
    const folders = cgroups.foldersOf(name, start.launch);
    await writeFile(files.cgroups, `${folders.join('\n')}\n`);
    await cgroups.make(name, start.launch);
    return folders;
  }

  async #settleStarts(id: WorkerId): Promise<void> {
    await Promise.allSettled([...(this.#starting.get(workerKey(id)) ?? [])]);
  }
}
