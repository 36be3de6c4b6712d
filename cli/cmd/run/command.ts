import type { Command } from 'commander';
import { collect, wholeNumber } from '../../flags.ts';
import { helpGroups, type Act } from '../../command.ts';

export function addRunCommand(program: Command, act: Act): void {
  program
    .command('run')
    .helpGroup(helpGroups.work)
    .argument('<command...>', 'what each worker runs; write -- before it')
    .usage('[flags] -- command [argument...]')
    .description(
      'Run a command as a job and print the output of its rank 0.\nThe exit code is 0 when the job succeeded and 6 when it failed.',
    )
    .option('--name <name>', 'name of the job (default: made from the command)')
    .option('-q, --queue <queue>', 'queue to run in')
    .option('--gpus <n>', 'GPUs in all; without --workers, as few nodes as the cluster allows', wholeNumber(0, 1_000_000))
    .option('--workers <n>', 'workers; each is launched on one node', wholeNumber(1, 16_384))
    .option('--gpus-per-worker <n>', 'GPUs of one worker', wholeNumber(0, 64))
    .option('--gpu-model <model>', 'accepted GPU model; may be given several times', collect)
    .option('--mesh <axes>', 'parallel axes, e.g. data=2,tensor=2')
    .option('--env <key=value>', 'environment variable; may be given several times', collect)
    .option('--cpu <quantity>', 'CPU of one worker, e.g. 500m or 4')
    .option('--memory <bytes>', 'memory of one worker, e.g. 4Gi')
    .option('--checkpoint-dir <path>', 'folder of the checkpoints')
    .option('--priority <n>', '0 to 100, more is sooner', wholeNumber(0, 100))
    .option('--workdir <path>', 'working folder on the nodes')
    .option('-d, --detach', 'do not wait for the job')
    .addHelpText(
      'after',
      `
Examples:
  shoal run --gpus 2 -- python train.py --steps 100
  shoal run --name llama --gpus 16 --mesh data=2,tensor=8 -d -- torchrun train.py`,
    )
    .action((words: string[], _flags, command: Command) =>
      act(async (io, signal) => {
        const [{ compileRun }, { runRun }] = await Promise.all([import('./options.ts'), import('./run.ts')]);
        return runRun(compileRun(words, command.optsWithGlobals()), io, signal);
      }),
    );
}
