/**
 * `npm run properties`: the long run. Every test file that holds properties or seeds is run by itself, with so many cases
 * each, at the lowest priority that the machine knows, and told in one line. What fails is printed whole: fast-check names
 * the seed and the shrunk case. `-- --cases 1000` asks for fewer, words choose files whose path has one of them.
 */
import { glob, mkdtemp, readFile, rm } from 'node:fs/promises';
import { constants, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { exec, fieldOf, listOf, parseJson } from './checkTool.ts';

const rooms = '{proto,controller,agent,cli,sim,tools,bench,test}/**/*.test.ts';
const otherProjects = /^test\/(conformance|e2e)\//;
const holdsCases = /from 'fast-check'|\/cases[.]ts'/;
const casesDefault = 10_000;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const options = compileOptions(args);
  if (typeof options === 'string') {
    console.error(`error: ${options}\nusage: npm run properties [-- [--cases N] [WORD ...]]`);
    return 2;
  }
  const files = await findFiles(options.words);
  if (files.length === 0) {
    console.error(`error: no file with properties has ${options.words.join(' or ')} in its path`);
    return 2;
  }
  setPriority(constants.priority.PRIORITY_LOW);
  console.log(`${files.length} files, ${options.cases} cases each property`);
  const folder = await mkdtemp(join(tmpdir(), 'shoal-properties-'));
  try {
    return await runAll(files, options.cases, join(folder, 'report.json'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Options {
  readonly cases: number;
  readonly words: readonly string[];
}

function compileOptions(args: readonly string[]): Options | string {
  try {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: { cases: { type: 'string' } } });
    const cases = values.cases === undefined ? casesDefault : Number(values.cases);
    if (!Number.isInteger(cases) || cases < 1) return `--cases: "${values.cases ?? ''}" is not allowed; allowed: a whole number from 1`;
    return { cases, words: positionals };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function findFiles(words: readonly string[]): Promise<readonly string[]> {
  const files: string[] = [];
  for await (const path of glob(rooms)) {
    const isAsked = words.length === 0 || words.some((word) => path.includes(word));
    if (isAsked && !otherProjects.test(path) && holdsCases.test(await readFile(path, 'utf8'))) files.push(path);
  }
  return files.sort();
}

async function runAll(files: readonly string[], cases: number, report: string): Promise<number> {
  const beganMs = Date.now();
  let [passed, failed] = [0, 0];
  for (const file of files) {
    const startedMs = Date.now();
    const { exitCode, stdout, stderr } = await runFile(file, cases, report);
    const counts = await readCounts(report);
    // A file that could not be loaded has no test of its own.
    const failures = exitCode === 0 ? 0 : Math.max(1, counts.failed);
    passed += counts.passed;
    failed += failures;
    console.log(`${seconds(startedMs).padStart(8)} s  ${file}: ${counts.passed} passed, ${failures} failed`);
    if (failures > 0) console.log(`${stdout}${stderr}`);
  }
  console.log(`${seconds(beganMs).padStart(8)} s  ${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

function seconds(sinceMs: number): string {
  return ((Date.now() - sinceMs) / 1000).toFixed(1);
}

async function runFile(file: string, cases: number, report: string): ReturnType<typeof exec> {
  await rm(report, { force: true });
  // Behind `env`, as the settings of this run and no others'.
  const words = ['node_modules/vitest/vitest.mjs', 'run', file, '--project', 'unit'];
  const settings = [`SHOAL_CASES=${cases}`, `SHOAL_TEST_REPORT=${report}`];
  return await exec('env', [...settings, process.execPath, ...words], process.cwd());
}

async function readCounts(report: string): Promise<{ readonly passed: number; readonly failed: number }> {
  const json = parseJson(await readFile(report, 'utf8').catch(() => ''));
  const tests = listOf(fieldOf(json, 'testResults')).flatMap((file) => listOf(fieldOf(file, 'assertionResults')));
  const count = (status: string): number => tests.filter((test) => fieldOf(test, 'status') === status).length;
  return { passed: count('passed'), failed: count('failed') };
}
