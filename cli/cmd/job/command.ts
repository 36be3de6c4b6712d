import type { Command } from 'commander';
import { helpGroups, type Act } from '../../command.ts';

export function addJobCommands(program: Command, act: Act): void {
  for (const verb of ['suspend', 'resume'] as const) {
    program
      .command(verb)
      .helpGroup(helpGroups.work)
      .argument('<job...>', 'names, as NAME or job/NAME')
      .description(verb === 'suspend' ? 'Ask jobs to save a checkpoint and leave their GPUs.' : 'Let suspended jobs run again.')
      .action((words: string[], _flags, command: Command) =>
        act(async (io, signal) => {
          const { compileJobs, runJobVerb } = await import('./run.ts');
          return runJobVerb(verb, compileJobs(words, command.optsWithGlobals()), io, signal);
        }),
      );
  }
}
