import type { Command } from 'commander';
import { durationMs } from '../../flags.ts';
import { helpGroups, type Act } from '../../command.ts';

export function addNodeCommands(program: Command, act: Act): void {
  addCordon(program, act);
  addUncordon(program, act);
  addDrain(program, act);
}

function addCordon(program: Command, act: Act): void {
  program
    .command('cordon')
    .helpGroup(helpGroups.machines)
    .argument('<node...>', 'names, as NAME or node/NAME')
    .description('Keep new work off nodes; what runs there goes on.')
    .option('--reason <text>', 'why, for those who look later')
    .action((words: string[], _flags, command: Command) =>
      act(async (io, signal) => {
        const { compileNodes, runCordon } = await import('./run.ts');
        return runCordon(compileNodes(words, command.optsWithGlobals()), io, signal);
      }),
    );
}

function addUncordon(program: Command, act: Act): void {
  program
    .command('uncordon')
    .helpGroup(helpGroups.machines)
    .argument('<node...>', 'names, as NAME or node/NAME')
    .description('Let new work onto nodes again.')
    .action((words: string[], _flags, command: Command) =>
      act(async (io, signal) => {
        const { compileNodes, runUncordon } = await import('./run.ts');
        return runUncordon(compileNodes(words, command.optsWithGlobals()), io, signal);
      }),
    );
}

function addDrain(program: Command, act: Act): void {
  program
    .command('drain')
    .helpGroup(helpGroups.machines)
    .argument('<node...>', 'names, as NAME or node/NAME')
    .description(
      'Keep new work off nodes and ask the jobs there to save a checkpoint and leave.\nMore than one node is asked about first, or needs --yes.',
    )
    .option('--reason <text>', 'why, for those who look later')
    .option('-y, --yes', 'do not ask')
    .option('--no-wait', 'do not wait until the nodes are empty')
    .option('--timeout <duration>', 'how long to wait; 0 for no limit (default 0)', durationMs)
    .action((words: string[], _flags, command: Command) =>
      act(async (io, signal) => {
        const { compileDrain, runDrain } = await import('./drain.ts');
        return runDrain(compileDrain(words, command.optsWithGlobals()), io, signal);
      }),
    );
}
