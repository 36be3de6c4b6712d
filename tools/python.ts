/**
 * The Python of the examples: a virtual environment with CPU JAX, made once and kept outside the repository under a name
 * that says which requirements it holds. It is built beside that name and renamed when it is whole, so one that was
 * interrupted is never used, and two that are made at once do not disturb each other.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, readFile, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fetchPip } from './pipWheel.ts';

export interface Python {
  /** The interpreter, absolute. */
  readonly python: string;
  /** Goes first in PATH: holds `python` and `python3`. */
  readonly binFolder: string;
}

/** Nothing can be done here without the user. Each line is a sentence, the last ones say what to do. */
export class PythonMissing extends Error {
  constructor(lines: readonly string[]) {
    super(lines.join('\n'));
    this.name = 'PythonMissing';
  }
}

/** JAX 0.10 needs 3.11; newest first, and the machine's own `python3` before names with a number. */
const candidates = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.14'];
const oldest = [3, 11] as const;
const requirementsFile = join(import.meta.dirname, '..', 'examples', 'train-gpt', 'requirements.txt');

/** Answers at once when the environment was made before. `log` hears what takes time. */
export async function ensurePython(log: (line: string) => void, signal?: AbortSignal): Promise<Python> {
  const requirements = await readFile(requirementsFile, 'utf8');
  const base = await findPython();
  const name = createHash('sha256').update(`${requirements}\n${base.path}\n${base.version}`).digest('hex').slice(0, 16);
  const cache = cacheFolder();
  const folder = join(cache, `python-${name}`);
  const found = environmentIn(folder);
  if (await works(found)) return found;
  log(`Making a Python environment with JAX in ${folder} (once; some 300 MB) …`);
  await mkdir(cache, { recursive: true });
  await removeAbandoned(cache);
  const partial = `${folder}.partial-${process.pid}`;
  try {
    const pip = await build(base.path, partial);
    signal?.throwIfAborted();
    await install(partial, pip, signal);
    signal?.throwIfAborted();
    await takeIntoUse(partial, folder);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return found;
}

/** What Shoal keeps for this user between runs. */
export function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(process.env['HOME'] || homedir(), '.cache'), 'shoal');
}

/** What was half made by processes that are gone: killed, they could not remove it. */
async function removeAbandoned(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const pid = Number(/^python-[0-9a-f]+\.partial-(\d+)$/.exec(name)?.[1]);
    if (Number.isSafeInteger(pid) && !isAlive(pid)) await rm(join(cache, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function environmentIn(folder: string): Python {
  const binFolder = join(folder, 'bin');
  return { python: join(binFolder, 'python'), binFolder };
}

/** The interpreter it was made from may have gone or changed since. */
async function works({ python }: Python): Promise<boolean> {
  if (!(await exists(python))) return false;
  return (await runQuietly(python, ['-c', 'import jax.version, numpy'])).code === 0;
}

interface BasePython {
  readonly path: string;
  readonly version: string;
}

async function findPython(): Promise<BasePython> {
  const seen: string[] = [];
  const probe = 'import sys; print(sys.executable, "%d.%d.%d" % sys.version_info[:3], sep="\\n")';
  for (const candidate of candidates) {
    const { code, stdout } = await runQuietly(candidate, ['-c', probe]);
    const [path, version] = stdout.trim().split('\n');
    if (code !== 0 || path === undefined || version === undefined) continue;
    if (isNewEnough(version)) return { path, version };
    seen.push(`${path} is ${version}`);
  }
  const wanted = oldest.join('.');
  throw new PythonMissing([
    seen.length === 0 ? 'Python is missing: no python3 in PATH.' : `Python ${wanted} or newer is needed; ${seen.join(', ')}.`,
    ...howToGet(),
  ]);
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > oldest[0] || (major === oldest[0] && minor >= oldest[1]);
}

function howToGet(): readonly string[] {
  return ['Get it: apt-get install python3 python3-venv python3-pip (Debian, Ubuntu) or brew install python (macOS).'];
}

/** Answers what Python runs as pip there. Where `ensurepip` is missing (Debian without python3-venv) pip is fetched. */
async function build(base: string, folder: string): Promise<readonly string[]> {
  const withPip = await runQuietly(base, ['-m', 'venv', folder]);
  if (withPip.code === 0) return ['-m', 'pip'];
  await rm(folder, { recursive: true, force: true });
  const bare = await runQuietly(base, ['-m', 'venv', '--without-pip', folder]);
  if (bare.code !== 0) throw new PythonMissing([`${base} cannot make a virtual environment:`, ...lastLines(bare.output), ...howToGet()]);
  try {
    return [await fetchPip(folder)];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new PythonMissing([`${base} has no pip, and it could not be fetched: ${why}`, ...howToGet()]);
  }
}

async function install(folder: string, pip: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  const words = ['install', '--quiet', '--disable-pip-version-check', '--no-input', '-r', requirementsFile];
  const { code, output } = await runQuietly(environmentIn(folder).python, [...pip, ...words], signal);
  if (code === 0) return;
  signal?.throwIfAborted();
  throw new PythonMissing(['pip could not install what examples/train-gpt/requirements.txt lists:', ...lastLines(output)]);
}

/** Whoever comes second finds the name taken by an equal environment, and uses that. */
async function takeIntoUse(partial: string, folder: string): Promise<void> {
  if (!(await works(environmentIn(folder)))) await rm(folder, { recursive: true, force: true });
  try {
    await rename(partial, folder);
  } catch (error) {
    if (!(await works(environmentIn(folder)))) throw error;
  }
}

interface Outcome {
  /** Null: not started, or ended by a signal. */
  readonly code: number | null;
  readonly stdout: string;
  readonly output: string;
}

function runQuietly(program: string, words: readonly string[], signal?: AbortSignal): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'], ...(signal === undefined ? {} : { signal }) });
    let stdout = '';
    let output = '';
    child.stdout.on('data', (data: Buffer) => {
      stdout += data.toString();
      output += data.toString();
    });
    child.stderr.on('data', (data: Buffer) => {
      output += data.toString();
    });
    child.once('error', (error) => resolve({ code: null, stdout, output: error.message }));
    child.once('close', (code) => resolve({ code, stdout, output }));
  });
}

function lastLines(output: string): readonly string[] {
  return output
    .trim()
    .split('\n')
    .slice(-8)
    .map((line) => `  ${line}`);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
