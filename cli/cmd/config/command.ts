import type { Command } from 'commander';
import { helpGroups, type Act } from '../../command.ts';

export function addConfigCommands(program: Command, act: Act): void {
  const config = program
    .command('config')
    .helpGroup(helpGroups.settings)
    .description(
      'Read and change the contexts: which clusters there are, and which one is used.\nKept in $SHOAL_CONFIG, or ~/.config/shoal/config.',
    );
  const verb = (name: string, description: string, argument: string | null): void => {
    const command = config.command(name).description(description);
    if (argument !== null) command.argument(argument);
    command.action((...words: unknown[]) =>
      act(async (io) => {
        const { runConfigVerb } = await import('./run.ts');
        const [first] = words;
        return runConfigVerb(name, typeof first === 'string' ? first : '', io);
      }),
    );
  };
  verb('get-contexts', 'List the contexts.', null);
  verb('current-context', 'Print the name of the context in use.', null);
  verb('use-context', 'Use this context from now on.', '<name>');
  verb('delete-context', 'Forget this context.', '<name>');
  addView(config, act);
  addSetContext(config, act);
}

function addView(config: Command, act: Act): void {
  config
    .command('view')
    .description('Print the configuration; tokens are left out.')
    .option('--raw', 'with tokens')
    .option('-o, --output <format>', 'yaml or json (default yaml)')
    .action((_flags, command: Command) =>
      act(async (io) => {
        const { compileView, runView } = await import('./run.ts');
        return runView(compileView(command.optsWithGlobals()), io);
      }),
    );
}

function addSetContext(config: Command, act: Act): void {
  config
    .command('set-context')
    .argument('<name>', 'an existing context is changed, another is added')
    .description('Add or change a context. Its address is the flag --server.')
    .option('--certificate-authority <file>', "PEM file of the cluster's authority")
    .option('--embed-certs', 'keep the text of that file instead of its path')
    .option('--token-file <file>', 'file that holds the token, or - for stdin: a token on the command line could be seen by others')
    .option('--current', 'also use it from now on')
    .action((name: string, _flags, command: Command) =>
      act(async (io) => {
        const { compileSetContext, runSetContext } = await import('./setContext.ts');
        return runSetContext(compileSetContext(name, command.optsWithGlobals()), io);
      }),
    );
}
