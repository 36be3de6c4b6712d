import type { Command } from 'commander';
import { helpGroups, type Act } from '../../command.ts';

export function addLedgerCommand(program: Command, act: Act): void {
  program
    .command('ledger')
    .helpGroup(helpGroups.look)
    .description('Print what GPU time was spent on, in GPU-hours.\nOf the whole cluster, or by whose jobs held it.')
    .option('--by <name>', 'queue, user, project or job')
    .option('-o, --output <format>', 'json or yaml: milli-GPU-milliseconds, exact')
    .addHelpText('after', '\nExamples:\n  shoal ledger\n  shoal ledger --by queue\n  shoal ledger --by project -o json')
    .action((_flags, command: Command) =>
      act(async (io, signal) => {
        const { compileLedger, runLedger } = await import('./run.ts');
        return runLedger(compileLedger(command.optsWithGlobals()), io, signal);
      }),
    );
}
