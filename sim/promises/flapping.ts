/**
 * Two jobs that throw each other out in turns do no work. Taking turns is allowed (time slicing), but a turn is worth its
 * restart many times over; so is a change of mind by people. Neither comes four times within ten minutes.
 */
import type { StampedEvent } from '#core/events.ts';

const turnsMax = 3;
const withinMs = 600_000;

interface Displacing {
  readonly winner: string;
  readonly atMs: number;
}

export class Flapping {
  readonly #byPair = new Map<string, readonly Displacing[]>();

  /** The pair that flaps; null: none does. */
  note(event: StampedEvent): readonly [string, string] | null {
    if (resets.has(event.kind)) this.#byPair.clear();
    if (event.kind !== 'JobNominated') return null;
    const moved = new Set((event.moves ?? []).map(({ uid }) => uid));
    for (const victim of event.victims) {
      if (moved.has(victim)) continue;
      const pair = [event.uid, victim].sort().join(' ');
      const recent = (this.#byPair.get(pair) ?? []).filter(({ atMs }) => event.atMs - atMs <= withinMs);
      // A promise that was made again after it broke is the same turn.
      const turns = recent.at(-1)?.winner === event.uid ? recent : [...recent, { winner: event.uid, atMs: event.atMs }];
      this.#byPair.set(pair, turns);
      if (turns.length > turnsMax) return [event.uid, victim];
    }
    return null;
  }
}

/** People changed who comes before whom, or a machine came or went. */
const resets: ReadonlySet<StampedEvent['kind']> = new Set([
  'JobPrioritized',
  'JobChanged',
  'JobNext',
  'QueueApplied',
  'QueueRemoved',
  'NodeLost',
  'NodeReady',
  'NodeCordoned',
  'NodeUncordoned',
  'GpuHealthChanged',
]);
