import type { Command } from 'commander';
import { collect } from '../../flags.ts';
import { helpGroups, type Act } from '../../command.ts';

export function addPlanCommand(program: Command, act: Act): void {
  program
    .command('plan')
    .helpGroup(helpGroups.work)
    .description(
      'Say where and when jobs would start, and who would have to leave for them. Changes nothing.\nWith --queue: when those start that wait already.',
    )
    .option('-f, --filename <path>', 'file, folder (.yaml, .yml, .json) or - (stdin); each document sees those before it', collect)
    .option('-R, --recursive', 'also the folders below')
    .option('--queue <name>', 'the timetable of this queue and those below it')
    .option('-o, --output <format>', 'json or yaml')
    .addHelpText(
      'after',
      `
Examples:
  shoal plan -f job.yaml
  shoal plan --queue research
  shoal plan --queue research -o json`,
    )
    .action((_flags, command: Command) =>
      act(async (io, signal) => {
        const { compilePlan, runPlan } = await import('./run.ts');
        return runPlan(compilePlan(command.optsWithGlobals()), io, signal);
      }),
    );
}
