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

/** A value stays one, also when it begins with `-`. */
export function fuzzWords(flags: Flags): readonly string[] {
  return ['seeds', 'from', 'minutes', 'out'].flatMap((name) => {
    const text = textFlag(flags, name);
    return text === null ? [] : [`--${name}=${text}`];
  });
}
