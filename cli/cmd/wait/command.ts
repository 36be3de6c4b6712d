import type { Command } from 'commander';
import { durationMs } from '../../flags.ts';
import { helpGroups, type Act } from '../../command.ts';

export function addWaitCommand(program: Command, act: Act): void {
  program
    .command('wait')
    .helpGroup(helpGroups.look)
    .argument('<what...>', 'TYPE NAME... or TYPE/NAME...')
    .description(
      'Wait until jobs or nodes are in a state, or are gone.\nWaiting for success ends at once with exit code 6 when the job has failed.',
    )
    .requiredOption('--for <state>', 'condition=Succeeded|Failed|Finished|Ready, phase=<phase>, or delete')
    .option('--timeout <duration>', 'for all of them together; 0 checks once, negative waits a week (default 30s)', durationMs)
    .addHelpText(
      'after',
      `
Examples:
  shoal wait --for=condition=Succeeded job/gpt-tiny --timeout=1h
  shoal wait --for=phase=Running job/gpt-tiny
  shoal wait --for=delete job/gpt-tiny`,
    )
    .action((words: string[], _flags, command: Command) =>
      act(async (io, signal) => {
        const { compileWait, runWait } = await import('./run.ts');
        return runWait(compileWait(words, command.optsWithGlobals()), io, signal);
      }),
    );
}
