/** Longer words are no slips of the pen, and comparing them costs. */
const wordCharsMax = 64;

/**
 * The candidate that was probably meant: the nearest by edit distance (insert, delete, replace, swap of neighbours), at
 * most a third of the word away. Case, `-` and `_` do not count, so that `gpus_per_worker` finds `gpusPerWorker`.
 */
export function didYouMean(word: string, candidates: readonly string[]): string | undefined {
  if (word.length > wordCharsMax) return undefined;
  const wanted = fold(word);
  let best: { readonly candidate: string; readonly distance: number } | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, fold(candidate));
    const allowed = Math.max(1, Math.floor(Math.max(wanted.length, candidate.length) / 3));
    if (distance <= allowed && (best === undefined || distance < best.distance)) best = { candidate, distance };
  }
  return best?.candidate;
}

const fold = (word: string): string => word.toLowerCase().replaceAll(/[-_]/g, '');

/** Optimal string alignment distance, row by row. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replace = at(last, column - 1) + (a[row - 1] === b[column - 1] ? 0 : 1);
      let best = Math.min(at(last, column) + 1, at(current, column - 1) + 1, replace);
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) best = Math.min(best, at(beforeLast, column - 2) + 1);
      current.push(best);
    }
    beforeLast = last;
    last = current;
  }
  return at(last, b.length);
}

const at = (row: readonly number[], column: number): number => row[column] ?? Number.POSITIVE_INFINITY;
