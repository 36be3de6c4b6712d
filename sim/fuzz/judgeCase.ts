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
  | { readonly kind: 'broken'; readonly promise: string; readonly message: string }
  /** It is no scenario: whoever drew it, or took it apart, went too far. */
  | { readonly kind: 'refused'; readonly problems: readonly string[] };

/** Plays it to its end, or to where the first promise breaks; a second time only where that may break one. */
export function judgeCase(drawn: FuzzCase, core: Core, twice = true): CaseVerdict {
  const parsed = parseScenario(printCase(drawn), `fuzz-${drawn.seed}.yaml`);
  if (!parsed.ok) return { kind: 'refused', problems: parsed.problems };
  const counts = new Map<string, number>();
  const count = (event: StampedEvent): void => {
    for (const name of namesOf(event)) counts.set(name, (counts.get(name) ?? 0) + 1);
  };
  try {
    const play = twice ? playWatched : playScenario;
    play(parsed.scenario, (recorder) => void (recorder.onEvent = count), core);
    return { kind: 'kept', counts };
  } catch (error) {
    if (error instanceof BrokenPromise) return { kind: 'broken', promise: error.promise, message: error.message };
    // Whatever else is thrown: an assertion of the core, or of the simulator.
    const message = error instanceof Error ? error.message : String(error);
    return {
      kind: 'broken',
      promise: `does not fail: ${promiseOf(message)}`,
      message: `failed: ${error instanceof Error ? (error.stack ?? message) : message}`,
    };
  }
}

/** What is counted of an event: its kind, and why an attempt ended. */
function namesOf(event: StampedEvent): readonly string[] {
  if (event.kind !== 'AttemptEnded') return [event.kind];
  return [event.kind, ...event.reasons.slice(0, 1)];
}
