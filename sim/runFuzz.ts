import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { fuzzSeed, type Found } from './fuzz/fuzz.ts';
import { printCase, type FuzzCase } from './fuzz/fuzzCase.ts';
import type { Output } from './runScenario.ts';
import { realCore, type Core } from './world/core.ts';

export const fuzzUsage = `usage: shoal sim fuzz [flags]
  --seeds N    so many random scenarios (default 100; with --minutes: as many as there is time for)
  --from SEED  the first one (default 1)
  --minutes M  no new scenario after so many minutes
  --out FILE   where to write the scenario that breaks a promise (default: stdout)`;

const exit = { ok: 0, broken: 1, usage: 2 } as const;
const seedsDefault = 100;
const seedMax = 2 ** 32 - 1;
const progressEveryMs = 5_000;

interface Options {
  readonly seeds: number;
  readonly from: number;
  readonly untilMs: number;
  readonly out: string | null;
}

/** `sim fuzz`: 0 every promise was kept, 1 one was broken, 2 the flags are wrong. `core` is what is put to the test. */
export async function runFuzz(args: readonly string[], io: Output, core: Core = realCore): Promise<number> {
  const options = compileOptions(args);
  if (typeof options === 'string') {
    io.err(`error: ${options}\n${fuzzUsage}\n`);
    return exit.usage;
  }
  const found = search(options, io, core);
  if (found === null) return exit.ok;
  const text = `${describe(found)}${printCase(found.smallest)}`;
  if (options.out === null) io.out(text);
  else if (!(await write(options.out, text, io))) return exit.usage;
  return exit.broken;
}

function compileOptions(args: readonly string[]): Options | string {
  try {
    const text = { type: 'string' } as const;
    const { values } = parseArgs({ args: [...args], options: { seeds: text, from: text, minutes: text, out: text } });
    const { seeds, from = '1', minutes, out } = values;
    const wrong = (name: string, value: string, allowed: string): string => `--${name}: "${value}" is not allowed; allowed: ${allowed}`;
    if (!isWhole(from, 0, seedMax)) return wrong('from', from, `a whole number from 0 to ${seedMax}`);
    if (seeds !== undefined && !isWhole(seeds, 1, seedMax)) return wrong('seeds', seeds, `a whole number from 1 to ${seedMax}`);
    if (minutes !== undefined && !/^(?!0*[.]?0*$)\d+([.]\d+)?$/.test(minutes)) return wrong('minutes', minutes, 'a number above 0');
    if (out === '') return wrong('out', out, 'the name of a file');
    const untilMs = minutes === undefined ? Number.POSITIVE_INFINITY : performance.now() + Number(minutes) * 60_000;
    const many = minutes === undefined ? seedsDefault : seedMax;
    return { seeds: seeds === undefined ? many : Number(seeds), from: Number(from), untilMs, out: out ?? null };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const isWhole = (text: string, min: number, max: number): boolean => /^\d+$/.test(text) && Number(text) >= min && Number(text) <= max;

/** null: nothing was found. */
function search({ seeds, from, untilMs }: Options, io: Output, core: Core): Found | null {
  const counts = new Map<string, number>();
  const startedMs = performance.now();
  let toldMs = startedMs;
  let played = 0;
  for (; played < seeds && performance.now() < untilMs; played += 1) {
    const seed = from + played;
    const result = fuzzSeed(seed, core, (message) => io.err(`seed ${seed}: ${message}\nit is made small\n`));
    if ('found' in result) return result.found;
    if (result.kind === 'refused') throw new Error(`seed ${seed} draws what is no scenario: ${result.problems.join('; ')}`);
    for (const [name, count] of result.counts) counts.set(name, (counts.get(name) ?? 0) + count);
    const nowMs = performance.now();
    if (nowMs - toldMs < progressEveryMs) continue;
    toldMs = nowMs;
    io.err(`${played + 1} seeds, up to ${seed}; ${seconds(nowMs - startedMs)}\n`);
  }
  const made = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => `  ${name.padEnd(24)}${count}\n`);
  io.out(`${played} seeds from ${from}, every promise was kept; ${seconds(performance.now() - startedMs)}\n${made.join('')}`);
  return null;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** As comments above the scenario, so that the whole is a file that plays. */
function describe({ seed, promise, message, drawn, smallest, plays }: Found): string {
  const lines = [
    `seed ${seed} breaks a promise: ${promise}`,
    ...message.split('\n'),
    `made small by ${plays} plays: ${sizeOf(drawn)} were ${sizeOf(smallest)} in the end`,
    'shoal sim run FILE plays it again',
  ];
  return lines.map((line) => `# ${line}\n`).join('');
}

const sizeOf = ({ timeline, nodes }: FuzzCase): string => `${timeline.length} entries, ${nodes.length} nodes`;

async function write(file: string, text: string, io: Output): Promise<boolean> {
  try {
    await writeFile(file, text);
    io.err(`a promise is broken: ${file} plays it again\n`);
    return true;
  } catch (error) {
    io.err(`error: ${file}: ${error instanceof Error ? error.message : String(error)}\n${text}`);
    return false;
  }
}
