import { CliError } from './cliError.ts';
import { exitCodes } from './exitCodes.ts';
import { didYouMean } from '#vocabulary/didYouMean.ts';

/** What people may name, and how: kubectl's plural, singular and short names. */
export interface Kind {
  /** As in manifests and in the API. */
  readonly kind: 'TrainingJob' | 'Queue' | 'Reservation' | 'Node' | 'Gpu' | 'Event';
  readonly singular: string;
  readonly plural: string;
  readonly aliases: readonly string[];
}

export const kinds: readonly Kind[] = [
  { kind: 'TrainingJob', singular: 'job', plural: 'jobs', aliases: ['j', 'trainingjob', 'trainingjobs', 'tj'] },
  { kind: 'Node', singular: 'node', plural: 'nodes', aliases: ['no'] },
  { kind: 'Gpu', singular: 'gpu', plural: 'gpus', aliases: ['g'] },
  { kind: 'Queue', singular: 'queue', plural: 'queues', aliases: ['q'] },
  { kind: 'Reservation', singular: 'reservation', plural: 'reservations', aliases: ['rsv'] },
  { kind: 'Event', singular: 'event', plural: 'events', aliases: ['ev'] },
];

/** A kind and the names wanted of it; no names: all. */
export interface Target {
  readonly kind: Kind;
  readonly names: readonly string[];
}

export function kindOf(word: string): Kind {
  const wanted = word.toLowerCase();
  const found = kinds.find((kind) => namesOf(kind).includes(wanted));
  if (found !== undefined) return found;
  const near = didYouMean(
    wanted,
    kinds.flatMap((kind) => [kind.singular, kind.plural]),
  );
  throw new CliError(exitCodes.usage, `error: the server doesn't have a resource type "${word}"`, [
    ...(near === undefined ? [] : [`Did you mean "${near}"?`]),
    `Types: ${kinds.map((kind) => kind.plural).join(', ')}`,
  ]);
}

function namesOf(kind: Kind): readonly string[] {
  return [kind.singular, kind.plural, ...kind.aliases];
}

/** By the API's kind: how the object is called in sentences. An unknown one is called by its own name. */
export function singularOf(kind: string): string {
  return kinds.find((each) => each.kind === kind)?.singular ?? kind.toLowerCase();
}

/** `TYPE`, `TYPE NAME…`, `TYPE1,TYPE2` or `TYPE/NAME…`, grouped by kind in the order given. A GPU's name holds a slash itself. */
export function parseTargets(words: readonly string[]): readonly Target[] {
  const [first = '', ...rest] = words;
  if (first.includes('/')) return groupByKind(words.map(parsePair));
  const names = rest.map((word) => {
    const pair = splitPair(word);
    const sameKind = pair !== undefined && kinds.some((kind) => namesOf(kind).includes(pair.type));
    if (sameKind) throw usage(`there is no need to give a type twice: "${first}" and "${word}"`);
    return word;
  });
  return first.split(',').map((type) => ({ kind: kindOf(type), names: [...new Set(names)] }));
}

function parsePair(word: string): { kind: Kind; name: string } {
  const pair = splitPair(word);
  if (pair === undefined || pair.name === '') throw usage(`"${word}" is not of the form TYPE/NAME`);
  return { kind: kindOf(pair.type), name: pair.name };
}

function splitPair(word: string): { type: string; name: string } | undefined {
  const slash = word.indexOf('/');
  return slash < 0 ? undefined : { type: word.slice(0, slash).toLowerCase(), name: word.slice(slash + 1) };
}

function groupByKind(pairs: readonly { readonly kind: Kind; readonly name: string }[]): readonly Target[] {
  const groups = new Map<Kind, string[]>();
  for (const { kind, name } of pairs) {
    const names = groups.get(kind) ?? [];
    if (!names.includes(name)) names.push(name);
    groups.set(kind, names);
  }
  return [...groups].map(([kind, names]) => ({ kind, names }));
}

/** `NAME` or `TYPE/NAME` where only one type makes sense, e.g. `logs job/llama`. */
export function parseNameOf(wanted: Kind['kind'], word: string): string {
  const pair = splitPair(word);
  if (pair === undefined) return word;
  const { kind } = parsePair(word);
  if (kind.kind !== wanted) throw usage(`"${word}" is not a ${singularOf(wanted)}`);
  return pair.name;
}

function usage(message: string): CliError {
  return new CliError(exitCodes.usage, `error: ${message}`);
}
