import type { Command } from 'commander';
import { helpGroups, type Act } from '../../command.ts';
import { wholeNumber } from '../../flags.ts';
import type { JobVerb } from './run.ts';

const verbs: readonly (readonly [verb: JobVerb, description: string])[] = [
  ['suspend', 'Ask jobs to save a checkpoint and leave their GPUs.'],
  ['resume', 'Let suspended jobs run again.'],
  ['hold', 'Keep jobs from starting; they keep their place in the queue.'],
  ['release', 'Let held jobs start.'],
  ['next', 'Put waiting jobs before all others until they start; the last one named goes first.'],
];

export function addJobCommands(program: Command, act: Act): void {
  for (const [verb, description] of verbs) {
    program
      .command(verb)
      .helpGroup(helpGroups.work)
      .argument('<job...>', 'names, as NAME or job/NAME')
      .description(description)
      .action((words: string[], _flags, command: Command) =>
        act(async (io, signal) => {
          const { compileJobs, runJobVerb } = await import('./run.ts');
          return runJobVerb(verb, compileJobs(words, command.optsWithGlobals()), io, signal);
        }),
      );
  }
  program
    .command('priority')
    .helpGroup(helpGroups.work)
    .argument('<job>', 'name, as NAME or job/NAME')
    .argument('<priority>', '0 to 100, more is sooner', wholeNumber(0, 100))
    .description("Change a job's priority.")
    .action((word: string, priority: number, _flags, command: Command) =>
      act(async (io, signal) => {
        const { compileJobs, runPriority } = await import('./run.ts');
        return runPriority(compileJobs([word], command.optsWithGlobals()), priority, io, signal);
      }),
    );
}
