/** The folder of one demo and all that was started for it: what there is to take down, at any moment. */
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Python } from '../python.ts';
import { endHard, processesWithPath } from './processes.ts';
import { startProgram, type Program } from './program.ts';

export type Env = Readonly<Record<string, string | undefined>>;

const repository = join(import.meta.dirname, '..', '..');

export class Ground {
  readonly folder: string;
  readonly workFolder: string;
  readonly logFolder: string;
  /** Of every process of the demo; ranks inherit its PATH. */
  readonly env: Env;
  readonly #programs: Program[] = [];

  private constructor(folder: string, python: Python) {
    this.folder = folder;
    this.workFolder = join(folder, 'work');
    this.logFolder = join(folder, 'logs');
    const path = [python.binFolder, process.env['PATH'] ?? '', binFolderOf(folder)].join(delimiter);
    this.env = { ...process.env, PATH: path, SHOAL_CONFIG: join(folder, 'config') };
  }

  /** A fresh folder. Short, because sockets in it may have paths of 103 bytes at most; macOS's own temporary folder is long. */
  static async make(python: Python): Promise<Ground> {
    const folder = await mkdtemp('/tmp/shoal-demo-').catch(() => mkdtemp(join(tmpdir(), 'shoal-')));
    const ground = new Ground(folder, python);
    for (const each of [binFolderOf(folder), ground.workFolder, ground.logFolder]) await mkdir(each);
    await symlink(join(repository, 'bin', 'shoal'), join(binFolderOf(folder), 'shoal'));
    // The work folder stands for a file system that all nodes share: the program is there, and checkpoints go there.
    await symlink(join(repository, 'examples'), join(ground.workFolder, 'examples'));
    return ground;
  }

  async start(name: string, file: string, words: readonly string[], env: Env = {}): Promise<Program> {
    const program = await startProgram({ file, words, env: { ...this.env, ...env }, logFile: join(this.logFolder, `${name}.log`) });
    this.#programs.push(program);
    return program;
  }

  /** Leaves all that was started here to itself. */
  release(): void {
    for (const program of this.#programs) program.release();
  }

  /** Ends all that was started here, and all that these have started. */
  async clear(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.stop()));
    await clearFolder(this.folder);
  }
}

/** Holds `shoal`; in the PATH of every process of this demo, by which they are found again. */
export function binFolderOf(folder: string): string {
  return join(folder, 'bin');
}

/** Ends every process of the demo in this folder, ranks too, and removes it. */
export async function clearFolder(folder: string): Promise<void> {
  // Until there are none: a process may start another one between the looking and the killing.
  for (let found = await processesWithPath(binFolderOf(folder)); found.length > 0; found = await processesWithPath(binFolderOf(folder))) {
    await endHard(found.map(({ pid }) => pid));
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}
