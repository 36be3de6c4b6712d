import { tellStart } from '#core/learn/startErrors.ts';
import type { ToldStart } from '#core/learn/startErrors.ts';
import type { JobView } from '#core/state/view.ts';
import type { JobUid } from '#vocabulary/ids.ts';
import type { Loop } from '../loop/loop.ts';
import { NotTaken } from '../loop/inbox.ts';
import type { Clock } from '../ports/clock.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import type { Answered, ForecastDesk } from './forecastDesk.ts';
import { ForecastsBusy } from './forecastDesk.ts';

/**
 * When waiting jobs start: forecast anew every so often while somebody waits, told to whoever asks, and the first time for
 * each job to the core, which learns from what came of it.
 */
export class StartEstimates {
  readonly #options: StartEstimatesOptions;
  /** null: none since this controller began. */
  #latest: ReadonlyMap<JobUid, ToldStart> | null = null;
  #isAtWork = false;
  #restUntilMs = 0;

  constructor(options: StartEstimatesOptions, signal: AbortSignal) {
    this.#options = options;
    if (options.everyMs > 0) options.clock.every(options.everyMs, () => void this.#renew(), signal);
  }

  /** What was said last of a waiting job; before the first forecast, what the log has. undefined: nothing was, or it does not start as far as is known. */
  of({ uid, told }: Pick<JobView, 'uid' | 'told'>): ToldStart | undefined {
    return this.#latest === null ? (told ?? undefined) : this.#latest.get(uid);
  }

  async #renew(): Promise<void> {
    const { clock, loop, telemetry } = this.#options;
    if (this.#isAtWork || clock.monotonicMs() < this.#restUntilMs) return;
    this.#isAtWork = true;
    const beganMs = clock.monotonicMs();
    try {
      if (await loop.read((state) => state.pending.length > 0)) await this.#forecast();
      else this.#latest = new Map();
    } catch (error) {
      if (!(error instanceof ForecastsBusy || error instanceof NotTaken)) telemetry.warn({ err: error }, 'starts were not forecast');
    } finally {
      this.#isAtWork = false;
      // A long queue of a large cluster takes seconds: most of the time of one core stays with others.
      this.#restUntilMs = clock.monotonicMs() + restFactor * (clock.monotonicMs() - beganMs);
    }
  }

  async #forecast(): Promise<void> {
    const { desk, loop } = this.#options;
    const { answer, nowMs }: Answered = await desk.ask({ kind: 'starts' });
    if (answer.kind !== 'starts') return;
    this.#latest = await loop.read(
      ({ startErrors }) => new Map(answer.starts.map(({ uid, startMs }) => [uid, tellStart(startErrors, nowMs, startMs)])),
    );
    await loop.offer({ kind: 'startsForecast', starts: answer.starts });
  }
}

export interface StartEstimatesOptions {
  readonly desk: Pick<ForecastDesk, 'ask'>;
  readonly loop: Loop;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** 0: never. */
  readonly everyMs: number;
}

/** Against the time that a forecast took. */
const restFactor = 9;
