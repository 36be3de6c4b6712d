/** docs/reference/cli.md, printed from the definitions of the commands: `node cli/reference.ts` writes it, a test compares. */
import { writeFile } from 'node:fs/promises';
import type { Command, Option } from 'commander';
import { exitCodeMeanings } from './exitCodes.ts';
import { buildWholeProgram } from './program.ts';

export const referencePath = 'docs/reference/cli.md';

if (import.meta.main) await writeFile(referencePath, await printReference());

export async function printReference(): Promise<string> {
  const silent = { isTty: false, write: () => undefined, drained: async () => undefined };
  const program = await buildWholeProgram({ stdout: silent, stderr: silent });
  const commands = program.commands.flatMap((command) => [command, ...command.commands]);
  return [
    '# The command line',
    '',
    'Printed from the definitions of the commands by `node cli/reference.ts`; do not edit.',
    '',
    'Data go to stdout, everything else to stderr. On a terminal, control characters in what a server or a job says are shown, not obeyed.',
    'Contexts (which cluster, which token) are kept in `$SHOAL_CONFIG`, or `$XDG_CONFIG_HOME/shoal/config`, or `~/.config/shoal/config`, for their owner only (0600).',
    '',
    '## Flags of every command',
    '',
    optionsTable(program.options),
    ...commands.flatMap((command) => ['', section(command)]),
    '',
    '## Exit codes',
    '',
    '| code | meaning |',
    '| ---: | --- |',
    ...exitCodeMeanings.map(([code, meaning]) => `| ${code} | ${meaning} |`),
    '',
    '`agent join`, `agent run` and `sim` give the code of the program that they start; `sim` has 0, 1 and 2 of these.',
    '',
  ].join('\n');
}

function section(command: Command): string {
  const path = pathOf(command);
  const lines = [
    `${command.parent?.parent === null ? '##' : '###'} ${path}`,
    '',
    escaped(command.description()),
    '',
    '```',
    `${path} ${command.usage()}`.trim(),
    '```',
  ];
  const args = command.registeredArguments.filter(({ description }) => description !== '');
  if (args.length > 0) lines.push('', ...args.map((argument) => `* \`${argument.name()}\`: ${escaped(argument.description)}`));
  if (command.options.length > 0) lines.push('', optionsTable(command.options));
  const examples = examplesOf(command);
  if (examples !== '') lines.push('', '```', examples, '```');
  return lines.join('\n');
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function optionsTable(options: readonly Option[]): string {
  return [
    '| flag | meaning |',
    '| --- | --- |',
    ...options.map(({ flags, description, defaultValue }) => `| \`${flags}\` | ${escaped(description)}${defaultOf(defaultValue)} |`),
  ].join('\n');
}

function defaultOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? ` (default ${value})` : '';
}

/** What `addHelpText('after')` adds; commander keeps it as a listener, so it is taken from the printed help. */
function examplesOf(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  const start = text.indexOf('\nExamples:\n');
  return start < 0
    ? ''
    : text
        .slice(start + '\nExamples:\n'.length)
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== '')
        .join('\n');
}

function escaped(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('\n', '  \n');
}
