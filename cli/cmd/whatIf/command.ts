import type { Command } from 'commander';
import { collect } from '../../flags.ts';
import { helpGroups, type Act } from '../../command.ts';

export function addWhatIfCommand(program: Command, act: Act): void {
  program
    .command('what-if')
    .helpGroup(helpGroups.look)
    .description(
      'Say how the queue would go to its end if something were otherwise. Changes nothing.\nWithout a change: how it goes as things are.',
    )
    .option('--add-nodes <CxMODELxG>', 'C nodes with G GPUs of a model of the cluster, e.g. 4xH100x8', collect)
    .option('--in <level/domain>', 'where the added nodes stand, e.g. rack/r3; a new domain without it')
    .option('--lose <node>', 'the node, or all of a level/domain, fails now', collect)
    .option('--drain <node>', 'the node, or all of a level/domain, is emptied', collect)
    .option('--cordon <node>', 'the node, or all of a level/domain, takes nothing new', collect)
    .option(
      '--queue <name.field=value>',
      'limit, guaranteed or weight of a queue, e.g. research.limit=64, research.limit.H100=none',
      collect,
    )
    .option('--next <job>', 'this waiting job goes before all others', collect)
    .option('-f, --filename <path>', 'manifests of queues and jobs that are applied', collect)
    .option('-R, --recursive', 'also the folders below')
    .option('--all', 'also jobs for which nothing changes, and long tables whole')
    .option('-o, --output <format>', 'json or yaml')
    .addHelpText(
      'after',
      `
Examples:
  shoal what-if --add-nodes 16xH100x8 --in rack/r9
  shoal what-if --drain rack/r3
  shoal what-if --queue research.limit=128 --queue prod.guaranteed.H100=64
  shoal what-if --next big-run
  shoal what-if -f tomorrow/ -o json`,
    )
    .action((_flags, command: Command) =>
      act(async (io, signal) => {
        const { compileWhatIf, runWhatIf } = await import('./run.ts');
        return runWhatIf(compileWhatIf(command.optsWithGlobals()), io, signal);
      }),
    );
}
