import type { StampedEvent } from '#core/events.ts';
import { BrokenPromise, promiseOf } from '../promises/brokenPromise.ts';
import { playWatched } from '../promises/playWatched.ts';
import { parseScenario } from '../scenario/parseScenario.ts';
import type { Core } from '../world/core.ts';
import { playScenario } from '../world/playScenario.ts';
import { printCase, type FuzzCase } from './fuzzCase.ts';

export type CaseVerdict =
  | { readonly kind: 'kept'; readonly counts: ReadonlyMap<string, number> }
  /** `promise` is the same for the same promise, whatever the case. */
  | { readonly kind: 'broken'; readonly promise: string; readonly message: string; readonly events: number }
  /** It is no scenario: whoever drew it, or took it apart, went too far. */
  | { readonly kind: 'refused'; readonly problems: readonly string[] };

interface Patience {
  /** A second play may break a promise, too. */
  readonly twice: boolean;
  /** What has not broken by then does not. */
  readonly eventsMax: number;
}

/** Nobody waits for its end. */
class TooLong extends Error {}

/** Plays it to its end, or to where the first promise breaks. */
export function judgeCase(drawn: FuzzCase, core: Core, { twice, eventsMax }: Patience = { twice: true, eventsMax: Infinity }): CaseVerdict {
  const parsed = parseScenario(printCase(drawn), `fuzz-${drawn.seed}.yaml`);
  if (!parsed.ok) return { kind: 'refused', problems: parsed.problems };
  const counts = new Map<string, number>();
  let events = 0;
  const count = (event: StampedEvent): void => {
    events += 1;
    if (events > eventsMax) throw new TooLong();
    for (const name of namesOf(event)) counts.set(name, (counts.get(name) ?? 0) + 1);
  };
  try {
    const play = twice ? playWatched : playScenario;
    play(parsed.scenario, (recorder) => void (recorder.onEvent = count), core);
    return { kind: 'kept', counts };
  } catch (error) {
    if (error instanceof TooLong) return { kind: 'kept', counts };
    if (error instanceof BrokenPromise) return { kind: 'broken', promise: error.promise, message: error.message, events };
    // Whatever else is thrown: an assertion of the core, or of the simulator.
    const message = error instanceof Error ? error.message : String(error);
    const told = error instanceof Error ? (error.stack ?? message) : message;
    return { kind: 'broken', promise: `does not fail: ${promiseOf(message)}`, message: `failed: ${told}`, events };
  }
}

/** What is counted of an event: its kind, and why an attempt ended. */
function namesOf(event: StampedEvent): readonly string[] {
  if (event.kind !== 'AttemptEnded') return [event.kind];
  return [event.kind, ...event.reasons.slice(0, 1)];
}
