import type { Command } from 'commander';
import { CliError } from '../../cliError.ts';
import { exitCodeMeanings, exitCodes } from '../../exitCodes.ts';
import { didYouMean } from '#vocabulary/didYouMean.ts';
import { helpGroups, type Act } from '../../command.ts';

const topics = ['exit-codes'];

export function addHelpCommand(program: Command, act: Act): void {
  program
    .command('help')
    .helpGroup(helpGroups.settings)
    .argument('[command...]', 'a command, or the topic exit-codes')
    .description('Show help of a command, or of the topic exit-codes.')
    .action((words: string[]) =>
      act(async (io) => {
        if (words[0] === 'exit-codes') io.stdout.write(exitCodesText());
        else findCommand(program, words).outputHelp();
        return exitCodes.ok;
      }),
    );
}

function exitCodesText(): string {
  const lines = exitCodeMeanings.map(([code, meaning]) => `  ${String(code).padEnd(5)}${meaning}\n`);
  return `Exit codes:\n${lines.join('')}agent join and agent run give the agent's own code.\n`;
}

function findCommand(program: Command, words: readonly string[]): Command {
  let command = program;
  for (const word of words) {
    const child = command.commands.find((each) => each.name() === word || each.aliases().includes(word));
    if (child === undefined) throw unknown(command, word);
    command = child;
  }
  return command;
}

function unknown(parent: Command, word: string): CliError {
  const near = didYouMean(word, [...parent.commands.map((each) => each.name()), ...topics]);
  return new CliError(exitCodes.usage, `error: unknown command '${word}'`, [
    ...(near === undefined ? [] : [`Did you mean "${near}"?`]),
    'See: shoal help',
  ]);
}
