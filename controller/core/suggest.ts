import { didYouMean } from '#vocabulary/didYouMean.ts';

/** Names that are compared with a mistyped one: a refusal must stay cheap in a cluster with 100,000 jobs. */
const candidatesMax = 1_000;

/** `; did you mean "research"?`, or nothing. The same for the same names, in whatever order they came. */
export function suggest(typed: string, names: Iterable<string>): string {
  const candidates = [...names].sort().slice(0, candidatesMax);
  const meant = didYouMean(typed, candidates);
  return meant === undefined ? '' : `; did you mean "${meant}"?`;
}
