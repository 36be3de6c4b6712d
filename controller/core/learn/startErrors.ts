import type { Sketch } from './sketch.ts';
import { noSamples, quantile, withSample } from './sketch.ts';

/**
 * How wrong forecasts of starts have been, which makes the next ones better: a forecast knows who runs and waits, not who
 * comes, and plays everybody at the median. What was forecast first for a job is held against what came; the ratio is
 * learned, by how far off the start was forecast. Its median corrects, its 90th percentile is how long it may take.
 */
export interface StartErrors {
  /** Wait that came, in thousandths of the wait that was forecast, by how far off that was; see `groupOf`. */
  readonly ratios: Map<string, Sketch>;
  /** How far what was told (p50) was off, in thousandths of the wait that came; waits of a minute and more. */
  errors: Sketch;
  /** Starts of which something was told, and those of them that came by the time told as p90. */
  told: number;
  withinP90: number;
}

export const noStartErrors = (): StartErrors => ({ ratios: new Map(), errors: noSamples, told: 0, withinP90: 0 });

/** What was said of a start, and when. */
export interface ToldStart {
  readonly atMs: number;
  /** As the forecast had it. */
  readonly forecastMs: number;
  /** As it was told: by then half of such jobs start, and nine of ten. */
  readonly p50Ms: number;
  readonly p90Ms: number;
}

/** So near a start no ratio means anything: it is added to both waits. */
const blurMs = 30_000;
/** A shorter wait needs no estimate, and its error in thousandths says nothing. */
const shortWaitMs = 60_000;
const samplesMin = 8;
/** Before anything was learned. */
const unknownP90 = 2_000;
const groupsMs = [600_000, 3_600_000, 6 * 3_600_000] as const;

/** The job started. */
export function noteStart(errors: StartErrors, told: ToldStart, startMs: number): void {
  const [forecastMs, cameMs] = [told.forecastMs - told.atMs, startMs - told.atMs];
  const ratio = Math.floor(((cameMs + blurMs) * 1_000) / (forecastMs + blurMs));
  for (const key of [groupOf(forecastMs), 'all']) errors.ratios.set(key, withSample(errors.ratios.get(key) ?? noSamples, ratio));
  errors.told += 1;
  if (startMs <= told.p90Ms) errors.withinP90 += 1;
  if (cameMs >= shortWaitMs) errors.errors = withSample(errors.errors, Math.floor((Math.abs(startMs - told.p50Ms) * 1_000) / cameMs));
}

/** What is told of a start that is forecast. */
export function tellStart(errors: { readonly ratios: ReadonlyMap<string, Sketch> }, nowMs: number, forecastMs: number): ToldStart {
  const waitMs = Math.max(0, forecastMs - nowMs);
  const sketch = [groupOf(waitMs), 'all']
    .map((key) => errors.ratios.get(key))
    .find((each) => each !== undefined && each.total >= samplesMin);
  const at = (permille: number, unknown: number): number => {
    const ratio = (sketch === undefined ? null : quantile(sketch, permille)) ?? unknown;
    return nowMs + Math.max(0, Math.floor(((waitMs + blurMs) * ratio) / 1_000) - blurMs);
  };
  const p50Ms = at(500, 1_000);
  return { atMs: nowMs, forecastMs, p50Ms, p90Ms: Math.max(p50Ms, at(900, unknownP90)) };
}

const groupOf = (waitMs: number): string => String(groupsMs.findIndex((limitMs) => waitMs < limitMs));
