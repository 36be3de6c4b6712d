import type { Command } from 'commander';
import { helpGroups, type Act } from '../../command.ts';

export function addGetCommand(program: Command, act: Act): void {
  program
    .command('get')
    .helpGroup(helpGroups.look)
    .argument(
      '<what...>',
      'TYPE, TYPE NAME..., TYPE/NAME... or TYPE,TYPE; types: jobs (j), nodes (no), gpus (g), queues (q), reservations (rsv), events (ev)',
    )
    .description('List objects, or show the named ones.')
    .option('-o, --output <format>', 'wide, json, yaml or name')
    .option('-w, --watch', 'go on and print what changes')
    .option('-l, --selector <labels>', 'only objects with these labels: key=value,key2=value2')
    .option('--no-headers', 'without the line of column names')
    .option('--ignore-not-found', 'a name that does not exist is no error')
    .addHelpText(
      'after',
      `
Examples:
  shoal get jobs
  shoal get nodes -o wide
  shoal get job/gpt-tiny -o yaml
  shoal get jobs -l project=assistant -w`,
    )
    .action((words: string[], _flags, command: Command) =>
      act(async (io, signal) => {
        const [{ compileGet }, { runGet }] = await Promise.all([import('./options.ts'), import('./run.ts')]);
        return runGet(compileGet(words, command.optsWithGlobals()), io, signal);
      }),
    );
}
