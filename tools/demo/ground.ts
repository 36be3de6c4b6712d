/** The folder of one demo and all that was started for it: what there is to take down, at any moment. */
import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheFolder, type Python } from '../python.ts';
import { startGuard, type Guard } from './guard.ts';
import { clearCgroups } from './leftCgroups.ts';
import { endHard, processesWithPath } from './processes.ts';
import { startProgram, type Program, type ProgramWanted } from './program.ts';

export type Env = Readonly<Record<string, string | undefined>>;

const killedPeriodMs = 20;
const repository = join(import.meta.dirname, '..', '..');

export interface Starting extends Pick<ProgramWanted, 'file' | 'nodeFlags' | 'words'> {
  /** Names its log. */
  readonly name: string;
  /** Added to that of the demo. */
  readonly env?: Env;
}

export class Ground {
  readonly folder: string;
  readonly workFolder: string;
  readonly logFolder: string;
  /** Of every process of the demo; ranks inherit its PATH. */
  readonly env: Env;
  readonly #programs: Program[] = [];
  readonly #guard: Guard;

  private constructor(folder: string, guard: Guard, python: Python) {
    this.folder = folder;
    this.#guard = guard;
    this.workFolder = join(folder, 'work');
    this.logFolder = join(folder, 'logs');
    const path = [python.binFolder, process.env['PATH'] ?? '', binFolderOf(folder), markOf(folder)].join(delimiter);
    this.env = { ...process.env, PATH: path, SHOAL_CONFIG: join(folder, 'config'), NODE_COMPILE_CACHE: compileCache() };
  }

  /** A fresh folder. Short, because sockets in it may have paths of 103 bytes at most; macOS's own temporary folder is long. */
  static async make(python: Python): Promise<Ground> {
    const folder = await mkdtemp('/tmp/shoal-demo-').catch(() => mkdtemp(join(tmpdir(), 'shoal-')));
    const ground = new Ground(folder, startGuard(folder), python);
    for (const each of [binFolderOf(folder), ground.workFolder, ground.logFolder]) await mkdir(each);
    await symlink(join(repository, 'bin', 'shoal'), join(binFolderOf(folder), 'shoal'));
    // The work folder stands for a file system that all nodes share: the program is there, and checkpoints go there.
    await symlink(join(repository, 'examples'), join(ground.workFolder, 'examples'));
    return ground;
  }

  async start({ name, env = {}, ...program }: Starting): Promise<Program> {
    const started = await startProgram({ ...program, env: { ...this.env, ...env }, logFile: join(this.logFolder, `${name}.log`) });
    this.#programs.push(started);
    return started;
  }

  /** Leaves all that was started here to itself. */
  release(): void {
    for (const program of this.#programs) program.release();
    this.#guard.dismiss();
  }

  /** Ends all that was started here, and all that these have started. */
  async clear(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.stop()));
    await clearFolder(this.folder);
    this.#guard.dismiss();
  }
}

/** Where bin/shoal keeps it: without compiled sources each start of a program strips the types of every file again. */
function compileCache(): string {
  return process.env['NODE_COMPILE_CACHE'] || join(cacheFolder(), 'compile');
}

/**
 * In the PATH of every process of this demo, and there only: by it they are found again. It holds nothing. Not the folder of `shoal`:
 * that one people put into the PATH of their shell, and whatever they start there is not the demo's.
 */
export function markOf(folder: string): string {
  return join(folder, 'started-by-the-demo');
}

/** Holds `shoal`. */
export function binFolderOf(folder: string): string {
  return join(folder, 'bin');
}

/** Ends every process of the demo in this folder, ranks too, and removes it. */
export async function clearFolder(folder: string): Promise<void> {
  // Until there are none: a process may start another one between the looking and the killing.
  const mark = markOf(folder);
  for (let found = await processesWithPath(mark); found.length > 0; found = await processesWithPath(mark)) {
    endHard(found.map(({ pid }) => pid));
    await sleep(killedPeriodMs);
  }
  await clearCgroups((await readdir(folder).catch(() => [])).map((name) => join(folder, name)));
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}
