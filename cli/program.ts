/** The command line: what every command shares, and the way from words to an exit code. */
import { Command, CommanderError } from 'commander';
import type { Act } from './command.ts';
import { commandSources, sourcesFor, type AddCommand } from './commands.ts';
import { exitCodes } from './exitCodes.ts';
import { durationMs } from './flags.ts';
import type { Io } from './io.ts';
import { reportError } from './reportError.ts';

/** Runs one command line (without the program's own name) and gives the exit code. Never throws. */
export async function runCommandLine(words: readonly string[], io: Io, signal: AbortSignal): Promise<number> {
  let exitCode: number = exitCodes.ok;
  const act: Act = async (run) => {
    exitCode = await run(io, signal);
  };
  try {
    const program = buildProgram(io, act, await Promise.all(sourcesFor(words).map(({ load }) => load())));
    await program.parseAsync([...words], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    return reportError(error, io.stderr);
  }
}

/** With all commands: what help, the reference and the tests of the documents go through. */
export async function buildWholeProgram(io: Pick<Io, 'stdout' | 'stderr'>): Promise<Command> {
  return buildProgram(io, async () => undefined, await Promise.all(commandSources.map(({ load }) => load())));
}

function buildProgram(io: Pick<Io, 'stdout' | 'stderr'>, act: Act, adders: readonly AddCommand[]): Command {
  const program = new Command('shoal')
    .description('shoal runs sharded training and inference on a GPU cluster.')
    .usage('<command> [flags]')
    .option('--context <name>', 'context of the configuration to use')
    .option('--server <host:port>', "address of the control API instead of the context's")
    .option('--request-timeout <duration>', 'how long one request may take; 0 for no limit (default 30s)', durationMs)
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .exitOverride()
    .showHelpAfterError('See: shoal help')
    .configureHelp({ showGlobalOptions: true, sortOptions: false })
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) =>
        write(text.replace(/\(Did you mean (?:one of )?(.*?)\?\)/, (_, words: string) => `Did you mean ${quoted(words)}?`)),
    });
  for (const add of adders) add(program, act);
  for (const command of program.commands) completeHelp(command, 'shoal');
  return program;
}

/** In lists the first line of a description; after wrong usage, the next command to type. */
function completeHelp(command: Command, parent: string): void {
  const path = `${parent} ${command.name()}`;
  command.summary(command.description().split('\n')[0] ?? '').showHelpAfterError(`See: ${path} --help`);
  for (const child of command.commands) completeHelp(child, path);
}

function quoted(words: string): string {
  return words
    .split(', ')
    .map((word) => `"${word}"`)
    .join(' or ');
}
