import type { Command } from 'commander';
import { helpGroups, type Act } from '../../command.ts';

export function addWhyCommand(program: Command, act: Act): void {
  program
    .command('why')
    .helpGroup(helpGroups.look)
    .argument('<jobs...>', 'NAME or job/NAME')
    .description(
      'Say why a job waits: its place in the queue, what binds, what would let it start now, and when it starts.\nOf a job that does not wait: where it runs and since when, or why it stopped.',
    )
    .option('-o, --output <format>', 'json or yaml')
    .addHelpText('after', '\nExamples:\n  shoal why llama\n  shoal why llama -o json')
    .action((words: string[], _flags, command: Command) =>
      act(async (io, signal) => {
        const { compileWhy, runWhy } = await import('./run.ts');
        return runWhy(compileWhy(words, command.optsWithGlobals()), io, signal);
      }),
    );
}
