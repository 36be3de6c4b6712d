import type { Context } from '../context.ts';
import type { State } from '../state/state.ts';
import { Forecast } from './forecast.ts';
import { guessRemaining } from './guessRemaining.ts';

/** Beyond this nobody plans, and passes are bounded too. */
const horizonMs = 60 * 24 * 3_600_000;
const passesMax = 1_500;

/**
 * A pass costs about as much as jobs wait, and a forecast takes about as many passes as its windows are fine: so many
 * jobs times passes in all, whatever waits. 2,000 jobs get windows of 1/8 of the time from now, 250 and less of 1/64.
 */
const jobsPerWindow = 16_000;
const finest = 1 / 64;

/** Plays `fork` on, as far as is known of the jobs; `fork` is the forecast's own from now on. */
export function openForecast(fork: State, context: Context): Forecast {
  const fineness = Math.max(finest, fork.pending.length / jobsPerWindow);
  return new Forecast(fork, { context, guess: guessRemaining(fork), fineness, horizonMs, passesMax });
}
