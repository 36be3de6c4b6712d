import { CliError } from '../../cliError.ts';
import { pickContext } from '../../config/chooseContext.ts';
import { configPath, loadConfig, saveConfig, type Config } from '../../config/configFile.ts';
import { exitCodes } from '../../exitCodes.ts';
import { compileChoice, isSet, type Flags } from '../../flags.ts';
import type { Io } from '../../io.ts';
import { formatColumns } from '../../print/table.ts';

export async function runConfigVerb(verb: string, name: string, io: Io): Promise<number> {
  const path = configPath(io.env);
  const config = await loadConfig(path);
  switch (verb) {
    case 'get-contexts':
      printContexts(config, io);
      return exitCodes.ok;
    case 'current-context':
      if (config.currentContext === null)
        throw new CliError(exitCodes.error, 'error: no context is in use', ['List them: shoal config get-contexts']);
      io.stdout.write(`${config.currentContext}\n`);
      return exitCodes.ok;
    case 'use-context':
      await saveConfig(path, { ...config, currentContext: pickContext(config, name).name });
      io.stdout.write(`Switched to context "${name}".\n`);
      return exitCodes.ok;
    default:
      await deleteContext(path, config, name);
      io.stdout.write(`deleted context ${name} from ${path}\n`);
      if (config.currentContext === name)
        io.stderr.write('Warning: this was the context in use; choose another: shoal config use-context NAME\n');
      return exitCodes.ok;
  }
}

function printContexts({ contexts, currentContext }: Config, io: Io): void {
  if (contexts.length === 0) io.stderr.write('No contexts found\n');
  else
    io.stdout.write(
      formatColumns([
        ['CURRENT', 'NAME', 'SERVER'],
        ...contexts.map(({ name, server }) => [name === currentContext ? '*' : '', name, server]),
      ]),
    );
}

async function deleteContext(path: string, config: Config, name: string): Promise<void> {
  const gone = pickContext(config, name);
  const currentContext = config.currentContext === gone.name ? null : config.currentContext;
  await saveConfig(path, { currentContext, contexts: config.contexts.filter((each) => each !== gone) });
}

export interface ViewOptions {
  readonly raw: boolean;
  readonly output: 'yaml' | 'json';
}

export function compileView(flags: Flags): ViewOptions {
  return { raw: isSet(flags, 'raw'), output: compileChoice(flags, 'output', ['yaml', 'json']) ?? 'yaml' };
}

export async function runView({ raw, output }: ViewOptions, io: Io): Promise<number> {
  const { currentContext, contexts } = await loadConfig(configPath(io.env));
  const shown = contexts.map((each) => ({ ...each, token: raw || each.token === '' ? each.token : 'REDACTED' }));
  const { formatValue } = await import('../../print/canonical.ts');
  io.stdout.write(await formatValue({ currentContext: currentContext ?? '', contexts: shown }, output));
  return exitCodes.ok;
}
