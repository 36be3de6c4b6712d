/**
 * What lies between controller and agents: nothing, or a line that is slow and says some things twice. A session keeps the
 * order of what it carries, each way; what is under way when it ends never arrives.
 */
import { createRandom, seedOf } from '../random.ts';
import type { Trouble } from '../scenario/trouble.ts';
import type { Clock } from './clock.ts';

interface Line {
  session: number;
  /** Messages of all sessions, each way: what chance says of one does not depend on other nodes. */
  readonly count: { up: number; down: number };
  /** When the last message each way arrives. */
  readonly atMs: { up: number; down: number };
}

export class Links {
  readonly #clock: Clock;
  readonly #trouble: Pick<Trouble, 'lateMs' | 'doubled'>;
  readonly #seed: number;
  readonly #lines = new Map<string, Line>();

  constructor(clock: Clock, trouble: Trouble | null, seed: number) {
    this.#clock = clock;
    this.#trouble = trouble ?? { lateMs: 0, doubled: 0 };
    this.#seed = seed;
  }

  /** A session ends, if there is one: nothing of it arrives any more. */
  cut(node: string): void {
    this.#line(node).session += 1;
  }

  /** Runs `arrive` when it is there: at once on a line without trouble. */
  carry(node: string, way: 'up' | 'down', arrive: () => void): void {
    const { lateMs } = this.#trouble;
    if (lateMs === 0) return arrive();
    const line = this.#line(node);
    const nowMs = this.#clock.nowMs();
    const atMs = Math.max(nowMs + this.#draw(node, way).below(lateMs + 1), line.atMs[way]);
    line.atMs[way] = atMs;
    this.#at(node, atMs, arrive);
  }

  /** Chance has it that the report comes again: `arrive` runs a second time, and `after` some time later. */
  echo(node: string, pauseMs: number, { arrive, after }: { readonly arrive: () => void; readonly after: () => void }): void {
    const { doubled, lateMs } = this.#trouble;
    if (doubled === 0) return;
    const random = this.#draw(node, 'up');
    if (!random.chance(doubled)) return;
    const atMs = this.#clock.nowMs() + 1 + random.below(lateMs + pauseMs);
    this.#at(node, atMs, arrive);
    this.#at(node, atMs + pauseMs, after);
  }

  #at(node: string, atMs: number, run: () => void): void {
    const { session } = this.#line(node);
    this.#clock.at(atMs, () => {
      if (this.#line(node).session === session) run();
    });
  }

  #draw(node: string, way: 'up' | 'down'): ReturnType<typeof createRandom> {
    const { count } = this.#line(node);
    count[way] += 1;
    return createRandom(seedOf(`${this.#seed}/${node}/${way}/${count[way]}`));
  }

  #line(node: string): Line {
    const known = this.#lines.get(node);
    if (known !== undefined) return known;
    const line: Line = { session: 0, count: { up: 0, down: 0 }, atMs: { up: 0, down: 0 } };
    this.#lines.set(node, line);
    return line;
  }
}
