import type { Command } from 'commander';
import { wholeNumber } from '../../flags.ts';
import { helpGroups, type Act } from '../../command.ts';

export function addUpCommand(program: Command, act: Act): void {
  program
    .command('up')
    .helpGroup(helpGroups.start)
    .description(
      'Start a controller here, in the foreground, and make it the current context.\nWith --agents also agents with simulated GPUs: a whole cluster to try things on.',
    )
    .option('--data <folder>', 'where everything is kept (default: ~/.local/share/shoal)')
    .option('--listen <host:port>', 'address of the control API', '127.0.0.1:7070')
    .option('--agent-listen <host:port>', 'address for agents', '127.0.0.1:7071')
    .option('--policy <file>', 'settings of the scheduler, YAML (default: none)')
    .option('--agents <n>', 'agents to start here', wholeNumber(0, 64), 0)
    .option('--gpus-per-agent <n>', 'simulated GPUs of each', wholeNumber(0, 16), 2)
    .option('--gpu-model <model>', 'their model', 'H100')
    .option('--gpu-slots <list>', 'MIG slots of each of them, e.g. 1g.10gb=7 (default: none)')
    .option('--work-dir <folder>', 'where the jobs run (default: here)')
    .addHelpText(
      'after',
      `
The context is called local, unless --context gives another name.
Ctrl-C stops the controller and the agents; ranks that run live on.

Examples:
  shoal up
  shoal up --agents 4 --gpus-per-agent 2`,
    )
    .action((_flags, command: Command) =>
      act(async (io, signal) => {
        const [{ compileUp }, { runUp }] = await Promise.all([import('./options.ts'), import('./run.ts')]);
        return runUp(compileUp(command.optsWithGlobals(), io.env), io, signal);
      }),
    );
}
