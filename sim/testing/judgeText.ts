import { BrokenPromise } from '../promises/brokenPromise.ts';
import { playWatched } from '../promises/playWatched.ts';
import { parseScenario } from '../scenario/parseScenario.ts';
import type { Core } from '../world/core.ts';

/** Plays a scenario's text as `shoal sim run` does; the promise that it breaks, or null. */
export function judgeText(text: string, core: Core): string | null {
  const parsed = parseScenario(text, 'test.yaml');
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  try {
    playWatched(parsed.scenario, () => undefined, core);
    return null;
  } catch (error) {
    if (error instanceof BrokenPromise) return error.message;
    throw error;
  }
}
