import type { Command } from 'commander';
import { wholeNumber } from '../../flags.ts';
import { helpGroups, type Act } from '../../command.ts';

export function addLogsCommand(program: Command, act: Act): void {
  program
    .command('logs')
    .helpGroup(helpGroups.look)
    .argument('<job>', 'NAME or job/NAME')
    .description("Print what a job's ranks wrote; of rank 0 unless told otherwise.")
    .option('-f, --follow', 'go on until the attempt ends')
    .option('--rank <list>', 'ranks, e.g. 0,2-3')
    .option('--all-ranks', 'of all ranks; sets --prefix')
    .option('--prefix', 'begin each line with [node/rN]')
    .option('--attempt <n>', 'of this attempt (default: the newest)', wholeNumber(1))
    .option('-p, --previous', 'of the attempt before the newest')
    .option('--tail <lines>', 'only the last lines of each rank', wholeNumber(0))
    .option('--stream <name>', 'only stdout or stderr')
    .action((job: string, _flags, command: Command) =>
      act(async (io, signal) => {
        const { compileLogs, runLogs } = await import('./run.ts');
        return runLogs(compileLogs(job, command.optsWithGlobals()), io, signal);
      }),
    );
}
