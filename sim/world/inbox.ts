import type { Input, Reply } from '#core/inputs.ts';

export interface Offer {
  readonly input: Input;
  readonly onReply: (reply: Reply) => void;
}

/** What waits for the controller's next step. One that is dead hears nothing, and who asked it for something asks again when it is back. */
export class Inbox {
  #offers: Offer[] = [];
  /** Requests that nobody has answered; null: the controller lives. */
  #unanswered: Offer[] | null = null;

  get isDead(): boolean {
    return this.#unanswered !== null;
  }

  get isEmpty(): boolean {
    return this.#offers.length === 0;
  }

  offer(offer: Offer): void {
    if (this.#unanswered === null) this.#offers.push(offer);
    else if (isRequest(offer)) this.#unanswered.push(offer);
  }

  take(): readonly Offer[] {
    const offers = this.#offers;
    this.#offers = [];
    return offers;
  }

  /** The controller dies with these under its hands. */
  close(underWay: readonly Offer[]): void {
    this.#unanswered = [...underWay, ...this.take()].filter(isRequest);
  }

  /** It is back: this comes first, then what was asked for before. */
  open(inputs: readonly Input[]): void {
    this.#offers = [...inputs.map((input) => ({ input, onReply: () => undefined })), ...(this.#unanswered ?? [])];
    this.#unanswered = null;
  }
}

const observations: ReadonlySet<Input['kind']> = new Set(['createCluster', 'electLeader', 'hello', 'report', 'nodeSilent', 'tick']);

function isRequest({ input }: Offer): boolean {
  return !observations.has(input.kind);
}
