import { isSet, textFlag, type Flags } from '../../flags.ts';

/** The arguments of the simulator's own program. A file whose name begins with `-` stays a file. */
export function runWords(file: string, flags: Flags): readonly string[] {
  return [
    '--output',
    textFlag(flags, 'output') ?? 'text',
    ...['trace', 'timings'].flatMap((name) => (isSet(flags, name) ? [`--${name}`] : [])),
    '--',
    file,
  ];
}
