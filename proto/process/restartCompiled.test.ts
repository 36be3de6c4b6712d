/** In a program of its own each: what is asked is what a process has loaded, and a restart replaces the process. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';

const exec = promisify(execFile);
const source = new URL('./restartCompiled.ts', import.meta.url).href;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shoal-restart-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Says a line per start of the program, and one at its end. */
async function runProgram(env: Readonly<Record<string, string>>, flags: readonly string[] = []): Promise<readonly string[]> {
  const program = join(folder, 'program.ts');
  await writeFile(join(folder, 'later.ts'), 'export const later: number = 1;\n');
  await writeFile(
    program,
    `import { hasTypeStripper, restartCompiled } from '${source}';
     const say = (words: string): void => console.log(words, process.pid, hasTypeStripper() ? 'with stripper' : 'lean');
     say('start');
     await restartCompiled(() => import('./later.ts'));
     await import('./later.ts');
     say([...process.argv.slice(2), ...process.execArgv, Object.keys(process.env).filter((name) => name.startsWith('SHOAL_RESTARTED'))].join(' '));
    `,
  );
  const { NODE_OPTIONS: _options, NODE_COMPILE_CACHE: _cache, ...rest } = process.env;
  const { stdout, stderr } = await exec(process.execPath, [...flags, program, 'word'], { env: { ...rest, ...env } });
  expect(stderr).toBe('');
  return stdout
    .trim()
    .replaceAll(/\d{2,}/g, 'PID')
    .split('\n');
}

test('a first start becomes a second one without the stripper, with the same words and flags; the next start is lean at once', async () => {
  const env = { NODE_COMPILE_CACHE: join(folder, 'cache') };
  const lean = ['start PID lean', 'word --max-semi-space-size=1  PID lean'];
  expect(await runProgram(env, ['--max-semi-space-size=1'])).toEqual(['start PID with stripper', ...lean]);
  expect(await runProgram(env, ['--max-semi-space-size=1'])).toEqual(lean);
});

test('the process keeps its pid', async () => {
  const program = join(folder, 'pid.ts');
  await writeFile(
    program,
    `import { restartCompiled } from '${source}'; console.log(process.pid); await restartCompiled(async () => undefined);`,
  );
  const { stdout } = await exec(process.execPath, [program], { env: { ...process.env, NODE_COMPILE_CACHE: join(folder, 'cache') } });
  const [first, second, ...more] = stdout.trim().split('\n');
  expect(second).toBe(first);
  expect(more).toEqual([]);
});

test('without a compile cache it goes on as it is', async () => {
  expect(await runProgram({})).toEqual(['start PID with stripper', 'word  PID with stripper']);
});

test('a cache that does not last costs one start, not a circle of them', async () => {
  const cache = join(folder, 'cache');
  const program = join(folder, 'forgetful.ts');
  await writeFile(
    program,
    `import { rmSync } from 'node:fs';
     import { hasTypeStripper, restartCompiled } from '${source}';
     console.log(hasTypeStripper());
     process.execve = ((real) => (...words) => { rmSync(${JSON.stringify(cache)}, { recursive: true, force: true }); real(...words); })(process.execve);
     await restartCompiled(async () => undefined);
     console.log('runs');
    `,
  );
  const { stdout } = await exec(process.execPath, [program], { env: { ...process.env, NODE_COMPILE_CACHE: cache } });
  expect(stdout.trim().split('\n')).toEqual(['true', 'true', 'runs']);
});
