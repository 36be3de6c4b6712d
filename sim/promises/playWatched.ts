import type { Scenario } from '../scenario/scenario.ts';
import { realCore, type Core } from '../world/core.ts';
import { playScenario, type Played } from '../world/playScenario.ts';
import type { Recorder } from '../world/recorder.ts';
import { brokenPromise } from './brokenPromise.ts';

export const secondPlay = 'a second play gives the same events';

/**
 * Plays it, and where every promise is watched a second time with nobody watching: the same file gives the same events,
 * line for line. Throws ScenarioError and BrokenPromise.
 */
export function playWatched(scenario: Scenario, watch: (recorder: Recorder) => void = () => undefined, core: Core = realCore): Played {
  if (scenario.watch === 'core') return playScenario(scenario, watch, core);
  const lines: string[] = [];
  const played = playScenario(
    scenario,
    (recorder) => {
      watch(recorder);
      const tell = recorder.onEvent;
      recorder.onEvent = (event) => {
        tell?.(event);
        lines.push(JSON.stringify(event));
      };
    },
    core,
  );
  let at = 0;
  const compare = (line: string): void => {
    const want = lines[at];
    at += 1;
    if (line !== want) throw differs(scenario, played.endedAtMs, `event ${at} is ${line}, and was ${want ?? 'none'}`);
  };
  const again = playScenario(
    { ...scenario, watch: 'core' },
    (recorder) => void (recorder.onEvent = (event) => compare(JSON.stringify(event))),
    core,
  );
  if (at !== lines.length || again.endedAtMs !== played.endedAtMs)
    throw differs(scenario, played.endedAtMs, `it ended after ${at} events, and after ${lines.length} before`);
  return played;
}

function differs({ name, seed }: Scenario, nowMs: number, what: string): Error {
  const place = { scenario: name, seed, nowMs, after: 'a second play' };
  return brokenPromise(secondPlay, `a second play gives other events: ${what}`, place);
}
