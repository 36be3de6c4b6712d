import type { Holding } from '../../queues/usage.ts';
import { countUsage } from '../../queues/usage.ts';
import type { StateView } from '../../state/view.ts';

/**
 * What queues and users hold, by the keys of the state's usage, for those who come after nominees in a pass: with what a nominee will hold,
 * without what its victims still do, but never less than what is held now. Without it whoever is looked at next takes the
 * quota that victims gave back, the nominee asks others to leave, and so on for ever.
 */
export class PromisedQuota {
  readonly #state: Pick<StateView, 'queues' | 'usage'>;
  readonly #changes = new Map<string, number>();

  constructor(state: Pick<StateView, 'queues' | 'usage'>) {
    this.#state = state;
  }

  keep(nominee: Holding, leaving: readonly Holding[]): void {
    const changed = { usage: this.#changes, queues: this.#state.queues };
    countUsage(changed, nominee, 1);
    for (const victim of leaving) countUsage(changed, victim, -1);
  }

  get(key: string): number | undefined {
    const held = this.#state.usage.get(key);
    const change = this.#changes.get(key) ?? 0;
    return change > 0 ? (held ?? 0) + change : held;
  }
}
