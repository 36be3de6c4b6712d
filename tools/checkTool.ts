import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';

/** One line of `npm run check`. */
export interface Check {
  readonly name: string;
  run(): Promise<CheckResult>;
}

/** `note` goes behind the line, `output` below it. */
export type CheckResult =
  | { readonly kind: 'ok'; readonly note: string }
  | { readonly kind: 'skipped'; readonly note: string }
  | { readonly kind: 'failed'; readonly output: string };

/** npm package of each tool: where its program is looked up. */
const packages = {
  tsc: 'typescript',
  oxlint: 'oxlint',
  biome: '@biomejs/biome',
  depcruise: 'dependency-cruiser',
  knip: 'knip',
  buf: '@bufbuild/buf',
} as const;
export type Tool = keyof typeof packages;

export interface Finished {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

const root = resolve(import.meta.dirname, '..');

/** Runs a tool of `node_modules` in the repository; it passes when it exits with 0. */
export async function runTool(tool: Tool, args: readonly string[]): Promise<CheckResult> {
  const { exitCode, stdout, stderr } = await execTool(tool, args, process.cwd());
  return exitCode === 0 ? { kind: 'ok', note: '' } : { kind: 'failed', output: `${stdout}${stderr}` };
}

/** Runs a tool with this Node, whatever Node the PATH has: some of the tools refuse older ones. */
export async function execTool(tool: Tool, args: readonly string[], cwd: string): Promise<Finished> {
  return await exec(process.execPath, [await programOf(tool), ...args], cwd);
}

/** Runs a program to its end. A program that cannot be started, or dies of a signal, has exit code 127. */
export async function exec(program: string, args: readonly string[], cwd: string): Promise<Finished> {
  const env = {
    ...process.env,
    PATH: [join(root, 'node_modules', '.bin'), process.env['PATH'] ?? ''].join(delimiter),
    NO_COLOR: '1',
    FORCE_COLOR: undefined,
  };
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  const { promise, resolve: settle } = Promise.withResolvers<number>();
  child.on('error', (error) => {
    stderr.push(Buffer.from(`${error.message}\n`));
    settle(127);
  });
  child.on('close', (code) => settle(code ?? 127));
  const exitCode = await promise;
  return { exitCode, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
}

/** Path of the JavaScript file behind a tool's command, from its package.json. */
async function programOf(tool: Tool): Promise<string> {
  const folder = join(root, 'node_modules', packages[tool]);
  const manifest: unknown = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const bin = fieldOf(manifest, 'bin');
  const path = typeof bin === 'string' ? bin : fieldOf(bin, tool);
  if (typeof path !== 'string') throw new Error(`package ${packages[tool]} names no program ${tool}`);
  return join(folder, path);
}

/** What a tool printed as JSON; undefined when it printed something else. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** A field of a parsed JSON value; undefined when the value is no object or has no such field. */
export function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
