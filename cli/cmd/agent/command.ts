import type { Command } from 'commander';
import { durationMs } from '../../flags.ts';
import { helpGroups, type Act } from '../../command.ts';

export function addAgentCommands(program: Command, act: Act): void {
  const agent = program.command('agent').helpGroup(helpGroups.start).description('Let machines join the cluster, and run their agents.');
  agent
    .command('token')
    .description('Make a secret with which one node may join, once. Only the secret is printed on stdout.')
    .option('--ttl <duration>', 'how long it may be used, at most 24h (default 15m)', durationMs)
    .action((_flags, command: Command) =>
      act(async (io, signal) => {
        const { compileToken, runToken } = await import('./token.ts');
        return runToken(compileToken(command.optsWithGlobals()), io, signal);
      }),
    );
  for (const verb of ['join', 'run'] as const) {
    const about =
      verb === 'join' ? 'Get a certificate for this machine with a join token.' : 'Run the agent of this machine in the foreground.';
    agent
      .command(verb)
      .argument('[flags...]', `flags of the agent: shoal agent ${verb} --help`)
      .description(`${about} All flags are handed to the agent's own program.`)
      .allowUnknownOption()
      .helpOption(false)
      .action((words: string[]) =>
        act(async (io, signal) => {
          const { runAgentProgram } = await import('./program.ts');
          return runAgentProgram([verb, ...words], io, signal);
        }),
      );
  }
}
