/** The program behind `shoal sim`: one subcommand a kind of simulation. Exit codes: 0 it ran, 1 failed, 2 wrong usage or input. */
interface Subcommand {
  readonly about: string;
  readonly run: (args: readonly string[]) => Promise<number>;
}

const subcommands: Readonly<Record<string, Subcommand>> = {
  replay: {
    about: 'Play a trace of jobs against one scheduling policy.',
    run: async (args) => (await import('./replay/runReplay.ts')).runReplay(args),
  },
};

process.exitCode = await main(process.argv.slice(2));

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h') {
    process.stdout.write(usage());
    return name === undefined ? 2 : 0;
  }
  const known = Object.keys(subcommands);
  const subcommand = known.includes(name) ? subcommands[name] : undefined;
  if (subcommand !== undefined) return subcommand.run(args);
  process.stderr.write(`error: unknown simulation "${name}"; known are ${known.join(', ')}\nSee: shoal sim --help\n`);
  return 2;
}

function usage(): string {
  const lines = Object.entries(subcommands).map(([name, { about }]) => `  ${name.padEnd(10)}${about}`);
  return ['Usage: shoal sim <simulation> [flags]', '', ...lines, '', 'Flags of one: shoal sim <simulation> --help', ''].join('\n');
}
