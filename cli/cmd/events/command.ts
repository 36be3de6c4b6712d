import type { Command } from 'commander';
import { helpGroups, type Act } from '../../command.ts';

export function addEventsCommand(program: Command, act: Act): void {
  program
    .command('events')
    .helpGroup(helpGroups.look)
    .description('List what happened, oldest first.')
    .option('--for <type/name>', 'only events of this object, e.g. job/gpt-tiny')
    .option('-w, --watch', 'go on and print new events')
    .option('-o, --output <format>', 'wide, json, yaml or name')
    .option('--no-headers', 'without the line of column names')
    .action((_flags, command: Command) =>
      act(async (io, signal) => {
        const { compileEvents, runEvents } = await import('./run.ts');
        return runEvents(compileEvents(command.optsWithGlobals()), io, signal);
      }),
    );
}
