import type { Command } from 'commander';
import { helpGroups, type Act } from '../../command.ts';

export function addDescribeCommand(program: Command, act: Act): void {
  program
    .command('describe')
    .helpGroup(helpGroups.look)
    .argument('<what...>', 'job, node, queue or reservation, as TYPE NAME... or TYPE/NAME...')
    .description('Say all that is known of an object: why a job waits, where its ranks are, what its GPU time went into.')
    .action((words: string[], _flags, command: Command) =>
      act(async (io, signal) => {
        const { compileDescribe, runDescribe } = await import('./run.ts');
        return runDescribe(compileDescribe(words, command.optsWithGlobals()), io, signal);
      }),
    );
}
