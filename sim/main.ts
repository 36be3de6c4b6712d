/** The simulator: `node sim/main.ts run FILE`, `… fuzz FLAGS`, `… replay FLAGS`. The command line starts it as a program of its own. */
import { replayUsage, runReplay } from './replay/runReplay.ts';
import { fuzzUsage, runFuzz } from './runFuzz.ts';
import { runScenario, scenarioUsage, type Output } from './runScenario.ts';

type Run = (args: readonly string[], io: Output) => Promise<number>;

/** One row a subcommand. */
const subcommands: ReadonlyMap<string, { readonly run: Run; readonly usage: string }> = new Map([
  ['run', { run: runScenario, usage: scenarioUsage }],
  ['fuzz', { run: runFuzz, usage: fuzzUsage }],
  ['replay', { run: (args) => runReplay(args), usage: replayUsage.trimEnd() }],
]);

process.exitCode = await main(process.argv.slice(2));

async function main([name = '', ...args]: readonly string[]): Promise<number> {
  const io: Output = {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
  };
  const usages = [...subcommands.values()].map(({ usage }) => usage).join('\n');
  const found = subcommands.get(name);
  if (found === undefined || args.includes('--help') || args.includes('-h')) {
    const isAsked = found !== undefined || name === '--help' || name === '-h' || name === 'help';
    (isAsked ? io.out : io.err)(
      `${isAsked ? '' : `error: "${name}" is no subcommand; there are: ${[...subcommands.keys()].join(', ')}\n`}${found?.usage ?? usages}\n`,
    );
    return isAsked ? 0 : 2;
  }
  return found.run(args, io);
}
