import type { Command } from 'commander';
import { helpGroups, type Act } from '../../command.ts';

/** The simulations; each is a word of its own, so that help and errors of the flags come from the simulator's program. */
const simulations = [['replay', 'Play a trace of jobs against one scheduling policy, in virtual time.']] as const;

export function addSimCommands(program: Command, act: Act): void {
  const sim = program.command('sim').helpGroup(helpGroups.machines).description('Simulate a cluster, without one.');
  for (const [name, about] of simulations)
    sim
      .command(name)
      .argument('[flags...]', `flags of the simulator: shoal sim ${name} --help`)
      .description(`${about} All flags are handed to the simulator's own program.`)
      .allowUnknownOption()
      .helpOption(false)
      .action((words: string[]) =>
        act(async (io, signal) => {
          const { runSimulator } = await import('./program.ts');
          return runSimulator([name, ...words], io, signal);
        }),
      );
}
