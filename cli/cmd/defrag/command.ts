import type { Command } from 'commander';
import { helpGroups, type Act } from '../../command.ts';
import { wholeNumber } from '../../flags.ts';

export function addDefragCommand(program: Command, act: Act): void {
  program
    .command('defrag')
    .helpGroup(helpGroups.machines)
    .description(
      'Move preemptible jobs so that free GPUs lie together: each is asked to save and leave, and starts again at a place kept for it.\nPrints who moves where, what it costs, and what whole nodes and racks come free.',
    )
    .option('--dry-run', 'only print what would be done')
    .option('--moves <count>', 'move so many jobs at most', wholeNumber(0))
    .option('-o, --output <format>', 'json or yaml')
    .addHelpText('after', '\nExamples:\n  shoal defrag --dry-run\n  shoal defrag --moves 10')
    .action((_flags, command: Command) =>
      act(async (io, signal) => {
        const { compileDefrag, runDefrag } = await import('./run.ts');
        return runDefrag(compileDefrag(command.optsWithGlobals()), io, signal);
      }),
    );
}
