import type { Core } from '../world/core.ts';
import { drawCase } from './drawCase.ts';
import type { FuzzCase } from './fuzzCase.ts';
import { secondPlay } from '../promises/playWatched.ts';
import { judgeCase, type CaseVerdict } from './judgeCase.ts';
import { shrinkCase } from './shrinkCase.ts';

/** Cases that are played to make one small. */
const playsMax = 1_500;

export interface Found {
  readonly seed: number;
  readonly promise: string;
  /** What broke, when, and after what; of the smallest case. */
  readonly message: string;
  readonly drawn: FuzzCase;
  readonly smallest: FuzzCase;
  readonly plays: number;
}

/** Plays the scenario of a seed. The promise that it breaks, with the smallest scenario that does; else what it was made of. */
export function fuzzSeed(
  seed: number,
  core: Core,
  onBroken: (message: string) => void = () => undefined,
): { readonly found: Found } | Exclude<CaseVerdict, { kind: 'broken' }> {
  const drawn = drawCase(seed);
  const verdict = judgeCase(drawn, core);
  if (verdict.kind !== 'broken') return verdict;
  const { promise } = verdict;
  const patience = { twice: promise === secondPlay, eventsMax: 2 * verdict.events + 1_000 };
  let { message } = verdict;
  onBroken(message);
  const { smallest, plays } = shrinkCase(
    drawn,
    (smaller) => {
      const judged = judgeCase(smaller, core, patience);
      if (judged.kind === 'refused') return null;
      if (judged.kind !== 'broken' || judged.promise !== promise) return false;
      ({ message } = judged);
      return true;
    },
    playsMax,
  );
  return { found: { seed, promise, message, drawn, smallest, plays } };
}
