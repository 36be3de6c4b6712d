import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { StampedEvent } from '#core/events.ts';
import { makeReport } from './report/report.ts';
import { printSummary } from './report/summary.ts';
import { parseScenario } from './scenario/parseScenario.ts';
import { BrokenPromise } from './promises/brokenPromise.ts';
import { playWatched } from './promises/playWatched.ts';
import { ScenarioError } from './world/playScenario.ts';

export const scenarioUsage = `usage: shoal sim run FILE.yaml [flags]
  -o, --output json|text  the whole report, or a short summary (default text)
  --trace                 every decision as a line of JSON: before a summary on stdout, beside a report on stderr
  --timings               how long decisions took, by the wall clock`;

export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

const exit = { ok: 0, broken: 1, usage: 2 } as const;

interface Options {
  readonly file: string;
  readonly output: 'json' | 'text';
  readonly trace: boolean;
  readonly timings: boolean;
}

/** `sim run`: 0 it ran, 1 a promise of the core was broken, 2 the file or the flags are wrong. */
export async function runScenario(args: readonly string[], io: Output): Promise<number> {
  const options = compileOptions(args);
  if (typeof options === 'string') {
    io.err(`error: ${options}\n${scenarioUsage}\n`);
    return exit.usage;
  }
  let text: string;
  try {
    text = await readFile(options.file === '-' ? '/dev/stdin' : options.file, 'utf8');
  } catch (error) {
    io.err(`error: ${options.file}: ${error instanceof Error ? error.message : String(error)}\n`);
    return exit.usage;
  }
  return simulate(text, options, io);
}

function compileOptions(args: readonly string[]): Options | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { output: { type: 'string', short: 'o', default: 'text' }, trace: { type: 'boolean' }, timings: { type: 'boolean' } },
    });
    const { output } = values;
    if (output !== 'json' && output !== 'text') return `--output: "${output}" is not known; allowed: json, text`;
    const [file, second] = positionals;
    if (file === undefined || second !== undefined) return `${positionals.length} files are given; one is wanted`;
    return { file, output, trace: values.trace === true, timings: values.timings === true };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function simulate(text: string, { file, output, trace, timings }: Options, io: Output): number {
  const parsed = parseScenario(text, file);
  if (!parsed.ok) {
    for (const problem of parsed.problems) io.err(`${problem}\n`);
    return exit.usage;
  }
  const { scenario, place } = parsed;
  const say = output === 'json' ? io.err : io.out;
  try {
    const played = playWatched(scenario, (recorder) => {
      if (trace) recorder.onEvent = (event: StampedEvent) => say(`${JSON.stringify(event)}\n`);
    });
    const report = makeReport(scenario, played, { timings });
    io.out(output === 'json' ? `${JSON.stringify(report, null, 1)}\n` : printSummary(report));
    return exit.ok;
  } catch (error) {
    if (error instanceof ScenarioError) {
      io.err(`${place(error.field)}: ${error.field}: ${error.message}\n`);
      return exit.usage;
    }
    if (error instanceof BrokenPromise) {
      io.err(`error: ${error.message}\n`);
      return exit.broken;
    }
    throw error;
  }
}
