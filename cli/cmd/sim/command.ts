import { Option, type Command } from 'commander';
import { helpGroups, type Act } from '../../command.ts';

export function addSimCommands(program: Command, act: Act): void {
  const sim = program
    .command('sim')
    .helpGroup(helpGroups.start)
    .description('Play clusters and work in virtual time, by the same decisions as the controller.');
  sim
    .command('run')
    .argument('<file>', 'a Scenario; - for stdin')
    .description('Play a scenario: a cluster, its work and its faults. The same file prints the same bytes.')
    .addOption(new Option('-o, --output <format>', 'a short summary, or the whole report').choices(['text', 'json']).default('text'))
    .option('--trace', 'print every decision as a line of JSON')
    .option('--timings', 'how long decisions took, by the wall clock')
    .addHelpText(
      'after',
      `
Examples:
  shoal sim run examples/scenarios/backfill.yaml
  shoal sim run examples/scenarios/backfill.yaml -o json`,
    )
    .action((file: string, _flags, command: Command) =>
      act(async (io, signal) => {
        const [{ runSimProgram }, { runWords }] = await Promise.all([import('./program.ts'), import('./words.ts')]);
        return runSimProgram(['run', ...runWords(file, command.opts())], io, signal);
      }),
    );
  sim
    .command('fuzz')
    .description('Play random clusters, work and faults, and look for a broken promise; the smallest scenario that breaks one is printed.')
    .option('--seeds <n>', 'so many scenarios (default 100; with --minutes: as many as there is time for)')
    .option('--from <seed>', 'the first one', '1')
    .option('--minutes <m>', 'no new scenario after so many minutes')
    .option('--out <file>', 'where to write a scenario that breaks a promise (default: stdout)')
    .addHelpText(
      'after',
      `
Examples:
  shoal sim fuzz --seeds 200
  shoal sim fuzz --minutes 10 --from 1000 --out broken.yaml
  shoal sim run broken.yaml`,
    )
    .action((_flags, command: Command) =>
      act(async (io, signal) => {
        const [{ runSimProgram }, { fuzzWords }] = await Promise.all([import('./program.ts'), import('./words.ts')]);
        return runSimProgram(['fuzz', ...fuzzWords(command.opts())], io, signal);
      }),
    );
  sim
    .command('replay')
    .argument('[flags...]', 'flags of the simulator: shoal sim replay --help')
    .description("Play a trace of jobs against one scheduling policy. Flags and help are those of the simulator's own program.")
    .allowUnknownOption()
    .helpOption(false)
    .action((words: string[]) =>
      act(async (io, signal) => {
        const { runSimProgram } = await import('./program.ts');
        return runSimProgram(['replay', ...words], io, signal);
      }),
    );
}
