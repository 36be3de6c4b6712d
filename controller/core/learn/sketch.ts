/**
 * Of which size something is, from many samples in little room: a histogram whose buckets grow with the value, eight to a
 * doubling, so that a quantile is within 1/16 of the value; it forgets, since all counts are halved when there are 256.
 * Integers throughout: the same samples in the same order give the same sketch everywhere. Never changed in place.
 * The idea of such buckets is that of HdrHistogram (Tene) and DDSketch (Masson, Rim and Lee, VLDB 2019).
 */
export interface Sketch {
  /** Bucket numbers, ascending. */
  readonly buckets: readonly number[];
  /** Samples in each, 1 or more. */
  readonly counts: readonly number[];
  readonly total: number;
}

export const noSamples: Sketch = { buckets: [], counts: [], total: 0 };

const totalMax = 256;
const valueMax = 2 ** 31 - 1;

/** `value`: cut to 0..2^31-1, as an integer. */
export function withSample({ buckets, counts, total }: Sketch, value: number): Sketch {
  const bucket = bucketOf(Math.max(0, Math.min(valueMax, Math.floor(value))));
  const found = buckets.findIndex((each) => each >= bucket);
  const at = found === -1 ? buckets.length : found;
  const isKnown = buckets[at] === bucket;
  const next: Sketch = {
    buckets: isKnown ? buckets : buckets.toSpliced(at, 0, bucket),
    counts: isKnown ? counts.with(at, (counts[at] ?? 0) + 1) : counts.toSpliced(at, 0, 1),
    total: total + 1,
  };
  return next.total < totalMax ? next : halved(next);
}

function halved({ buckets, counts }: Sketch): Sketch {
  const kept = counts.flatMap((count, at): readonly (readonly [number, number])[] => {
    const half = Math.floor(count / 2);
    return half === 0 ? [] : [[buckets[at] ?? 0, half]];
  });
  return {
    buckets: kept.map(([bucket]) => bucket),
    counts: kept.map(([, half]) => half),
    total: kept.reduce((sum, [, half]) => sum + half, 0),
  };
}

/** Samples above a value. */
export function countAbove({ buckets, counts }: Sketch, value: number): number {
  return counts.reduce((sum, count, at) => (middleOf(buckets[at] ?? 0) > value ? sum + count : sum), 0);
}

/** The value that `permille` of the samples above `above` are not above, 1..1000; null: there are none. */
export function quantileAbove({ buckets, counts }: Sketch, above: number, permille: number): number | null {
  const first = buckets.findIndex((bucket) => middleOf(bucket) > above);
  if (first === -1) return null;
  const all = counts.slice(first).reduce((sum, count) => sum + count, 0);
  const wanted = Math.max(1, Math.ceil((all * permille) / 1_000));
  let seen = 0;
  for (let at = first; at < buckets.length; at += 1) {
    seen += counts[at] ?? 0;
    if (seen >= wanted) return middleOf(buckets[at] ?? 0);
  }
  return null;
}

/** Of all samples; null: there are none. */
export const quantile = (sketch: Sketch, permille: number): number | null => quantileAbove(sketch, -1, permille);

/** 0..15 have a bucket each; from there on eight a doubling. */
function bucketOf(value: number): number {
  if (value < 16) return value;
  const doubling = 28 - Math.clz32(value);
  return 8 * doubling + (value >>> doubling);
}

/** The middle of the values in a bucket. */
function middleOf(bucket: number): number {
  if (bucket < 16) return bucket;
  const doubling = (bucket >>> 3) - 1;
  const lowest = (8 + (bucket & 7)) * 2 ** doubling;
  return lowest + Math.floor((2 ** doubling - 1) / 2);
}
