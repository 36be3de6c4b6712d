import type { Command } from 'commander';
import { helpGroups, type Act } from '../../command.ts';

export function addVersionCommand(program: Command, act: Act): void {
  program
    .command('version')
    .helpGroup(helpGroups.settings)
    .description('Print the version of this program and of the server.')
    .option('--client', 'only of this program; asks no server')
    .option('-o, --output <format>', 'json or yaml')
    .action((_flags, command: Command) =>
      act(async (io, signal) => {
        const { compileVersion, runVersion } = await import('./run.ts');
        return runVersion(compileVersion(command.optsWithGlobals()), io, signal);
      }),
    );
}
