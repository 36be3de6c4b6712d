import type { JobSpec } from '#vocabulary/job.ts';
import type { JobView } from '../state/view.ts';
import type { Sketch } from './sketch.ts';
import { countAbove, noSamples, quantileAbove, withSample } from './sketch.ts';

/**
 * How long jobs hold their places, learned from those that are over (however they ended: what waits behind them cares for
 * the time only): seconds, over all attempts of a job, by whose they were and what they ran.
 *
 *   user + program + shape  ->  user + program  ->  user + shape  ->  user  ->  queue + shape  ->  queue  ->  all
 *
 * The first of these of which enough is known speaks for a job. For one that has run for an hour, only those count that ran
 * for longer; has none, it is expected to run as long again as it has run so far.
 */
export type RunTimes = ReadonlyMap<string, Sketch>;

/** Sketches that are kept; the one that learned nothing for longest goes. */
const sketchesMax = 4_096;
/** Samples that say something. */
const samplesMin = 3;
/** Of a job of which nothing is known at all. */
const unknownMs = 3_600_000;
/** The first so many keys are about the job's own user. */
const ownKeys = 4;

type Known = Pick<JobView, 'user' | 'spec'>;

/** A job is over that held its place for so long. */
export function noteRunTime(runTimes: Map<string, Sketch>, job: Known, heldMs: number): void {
  for (const key of keysOf(job)) {
    const sketch = withSample(runTimes.get(key) ?? noSamples, Math.floor(heldMs / 1_000));
    // Behind all others: the first one is the one that learned nothing for longest.
    runTimes.delete(key);
    runTimes.set(key, sketch);
  }
  for (const key of runTimes.keys()) {
    if (runTimes.size <= sketchesMax) return;
    runTimes.delete(key);
  }
}

/** How long a job that held its place for `heldMs` holds it still, at this quantile: milliseconds, 1 or more. */
export function expectRemaining(runTimes: RunTimes, job: Known, heldMs: number, permille = 500): number {
  const { maxRuntimeMs } = job.spec;
  const promisedMs = maxRuntimeMs === null ? null : Math.max(1, maxRuntimeMs - heldMs);
  const heldS = Math.floor(heldMs / 1_000);
  for (const [at, key] of keysOf(job).entries()) {
    const sketch = runTimes.get(key);
    if (sketch === undefined || countAbove(sketch, heldS) < samplesMin) continue;
    // What it promised itself says more than what strangers did.
    if (at >= ownKeys && promisedMs !== null) break;
    const wholeS = quantileAbove(sketch, heldS, permille) ?? heldS;
    return Math.max(1, Math.min(promisedMs ?? Infinity, wholeS * 1_000 - heldMs));
  }
  return promisedMs ?? Math.max(unknownMs - heldMs, heldMs);
}

function keysOf({ user, spec }: Known): readonly string[] {
  const [program, shape] = [programOf(spec.template.command), shapeOf(spec)];
  const own = ['user', user];
  return [
    [...own, program, shape],
    [...own, program, ''],
    [...own, '', shape],
    own,
    ['queue', spec.queue, shape],
    ['queue', spec.queue],
    [],
  ].map((parts) => JSON.stringify(parts));
}

/**
 * What a command runs, without what it is told: the words before the first option. A sweep over learning rates is one
 * program. A shell or an interpreter alone says nothing, so then it is the whole command, shortened.
 */
function programOf(command: readonly string[]): string {
  const option = command.findIndex((word, at) => at > 0 && word.startsWith('-'));
  const words = option === -1 ? command : command.slice(0, option);
  return (words.length > 1 ? words : command).join(' ').slice(0, programCharsMax);
}

/** Keys stay short whatever is run. */
const programCharsMax = 120;

const shapeOf = ({ workers, gpusPerWorker, gpuShareMilli, gpuProfile }: JobSpec): string =>
  `${workers}x${gpuProfile ?? gpuShareMilli ?? gpusPerWorker}`;
