import type { Command } from 'commander';
import { collect } from '../../flags.ts';
import { helpGroups, type Act } from '../../command.ts';

export function addApplyCommand(program: Command, act: Act): void {
  program
    .command('apply')
    .helpGroup(helpGroups.work)
    .description('Create or change the objects of manifests.')
    .requiredOption('-f, --filename <path>', 'file, folder (.yaml, .yml, .json) or - (stdin); may be given several times', collect)
    .option('-R, --recursive', 'also the folders below')
    .option('--dry-run <where>', 'server: say what would happen, change nothing; none (default)')
    .option('-o, --output <format>', 'name')
    .addHelpText(
      'after',
      `
Examples:
  shoal apply -f examples/train-gpt/job.yaml
  shoal apply -f jobs/ -R
  cat job.yaml | shoal apply -f - --dry-run=server`,
    )
    .action((_flags, command: Command) =>
      act(async (io, signal) => {
        const { compileApply, runApply } = await import('./run.ts');
        return runApply(compileApply(command.optsWithGlobals()), io, signal);
      }),
    );
}
