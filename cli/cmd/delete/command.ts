import type { Command } from 'commander';
import { collect, durationMs } from '../../flags.ts';
import { helpGroups, type Act } from '../../command.ts';

export function addDeleteCommand(program: Command, act: Act): void {
  program
    .command('delete')
    .helpGroup(helpGroups.work)
    .argument('[what...]', 'TYPE NAME... or TYPE/NAME...')
    .description('Stop and remove objects. A job is asked for a checkpoint first, unless --now.')
    .option('-f, --filename <path>', 'delete the objects of this file, folder or - (stdin); may be given several times', collect)
    .option('-R, --recursive', 'also the folders below')
    .option('--now', 'stop at once, without a checkpoint')
    .option('--no-wait', 'do not wait until the objects are gone')
    .option('--timeout <duration>', 'how long to wait; 0 for no limit (default 0)', durationMs)
    .option('--ignore-not-found', 'what does not exist is no error')
    .addHelpText(
      'after',
      `
Examples:
  shoal delete job gpt-tiny
  shoal delete -f jobs/ -R --now`,
    )
    .action((words: string[], _flags, command: Command) =>
      act(async (io, signal) => {
        const { compileDelete, runDelete } = await import('./run.ts');
        return runDelete(compileDelete(words, command.optsWithGlobals()), io, signal);
      }),
    );
}
