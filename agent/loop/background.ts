import type { Logger } from 'pino';

/** Work that nobody waits for. It must not fail; when it does all the same, that is logged as a broken promise. */
export class Background {
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  spawn(name: string, work: () => Promise<void>): void {
    work().catch((error: unknown) => this.#log.error({ work: name, error: describeError(error) }, 'background work failed'));
  }
}

export function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
