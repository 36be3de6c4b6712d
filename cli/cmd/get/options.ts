import { CliError } from '../../cliError.ts';
import { compileTarget, type TargetOptions } from '../../config/target.ts';
import { exitCodes } from '../../exitCodes.ts';
import { compileChoice, isSet, parseSelector, textFlag, type Flags } from '../../flags.ts';
import { parseTargets, type Target } from '../../kinds.ts';

export interface GetOptions {
  readonly target: TargetOptions;
  readonly wanted: readonly Target[];
  readonly output: 'wide' | 'json' | 'yaml' | 'name' | null;
  readonly watch: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly headers: boolean;
  readonly ignoreNotFound: boolean;
}

export function compileGet(words: readonly string[], flags: Flags): GetOptions {
  const wanted = parseTargets(words);
  const labels = parseSelector(textFlag(flags, 'selector'));
  const named = wanted.some((target) => target.names.length > 0);
  if (named && Object.keys(labels).length > 0) throw new CliError(exitCodes.usage, 'error: names and a selector cannot be given together');
  const watch = isSet(flags, 'watch');
  if (watch && wanted.length > 1) throw new CliError(exitCodes.usage, 'error: only one type can be watched at a time');
  return {
    target: compileTarget(flags),
    wanted,
    output: compileChoice(flags, 'output', ['wide', 'json', 'yaml', 'name']),
    watch,
    labels,
    headers: flags['headers'] !== false,
    ignoreNotFound: isSet(flags, 'ignoreNotFound'),
  };
}
