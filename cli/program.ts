/**
 * Every command's name, flags and help; nothing that runs. The action of each imports its own folder when it is
 * called, so that `shoal version` pays for commander and these lines only.
 */
import { Command, CommanderError } from 'commander';
import { addAgentCommands } from './cmd/agent/command.ts';
import { addApplyCommand } from './cmd/apply/command.ts';
import { addConfigCommands } from './cmd/config/command.ts';
import { addDeleteCommand } from './cmd/delete/command.ts';
import { addDescribeCommand } from './cmd/describe/command.ts';
import { addEventsCommand } from './cmd/events/command.ts';
import { addGetCommand } from './cmd/get/command.ts';
import { addHelpCommand } from './cmd/help/command.ts';
import { addJobCommands } from './cmd/job/command.ts';
import { addLogsCommand } from './cmd/logs/command.ts';
import { addNodeCommands } from './cmd/node/command.ts';
import { addRunCommand } from './cmd/run/command.ts';
import { addSimCommands } from './cmd/sim/command.ts';
import { addUpCommand } from './cmd/up/command.ts';
import { addVersionCommand } from './cmd/version/command.ts';
import { addWaitCommand } from './cmd/wait/command.ts';
import type { Act } from './command.ts';
import { exitCodes } from './exitCodes.ts';
import { durationMs } from './flags.ts';
import type { Io } from './io.ts';
import { reportError } from './reportError.ts';

/** Runs one command line (without the program's own name) and gives the exit code. Never throws. */
export async function runCommandLine(words: readonly string[], io: Io, signal: AbortSignal): Promise<number> {
  let exitCode: number = exitCodes.ok;
  const program = buildProgram(io, async (run) => {
    exitCode = await run(io, signal);
  });
  try {
    await program.parseAsync([...words], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    return reportError(error, io.stderr);
  }
}

export function buildProgram(io: Pick<Io, 'stdout' | 'stderr'>, act: Act): Command {
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

const adders: readonly ((program: Command, act: Act) => void)[] = [
  addUpCommand,
  addAgentCommands,
  addGetCommand,
  addDescribeCommand,
  addLogsCommand,
  addEventsCommand,
  addWaitCommand,
  addRunCommand,
  addApplyCommand,
  addDeleteCommand,
  addJobCommands,
  addNodeCommands,
  addSimCommands,
  addConfigCommands,
  addVersionCommand,
  addHelpCommand,
];

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
