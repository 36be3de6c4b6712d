/**
 * Whether a pass has to be followed by another one at once, so that a pass after that decides nothing. A job that was refused
 * victims may be entitled to some by what the pass did after, or could not see:
 *
 *   - somebody else was nominated: with those victims gone a queue may be below its guarantee
 *   - somebody was placed: a queue may be above its guarantee, which a job of a guaranteed queue may take back
 *   - somebody was placed after it was read who runs, and so was no candidate
 *   - a victim's place is promised to somebody ahead, and somebody was placed, so that it may be its turn first
 */
export class SecondLook {
  #isAnyRefused = false;
  #isReclaimRefused = false;
  #areUnseen = false;
  #isAnyPassedOver = false;
  #isAnyPlaced = false;
  #isDue = false;

  get isDue(): boolean {
    return this.#isDue;
  }

  /** `mayAsk`: there was somebody to ask. `mayReclaim`: its queue, or one above, has a guarantee. */
  refused({ mayAsk, mayReclaim }: { readonly mayAsk: boolean; readonly mayReclaim: boolean }): void {
    if (mayAsk && this.#areUnseen) this.#isDue = true;
    this.#isAnyRefused = true;
    if (mayReclaim) this.#isReclaimRefused = true;
  }

  /** Of those who might have been asked one is not, as its place is promised to somebody ahead. No candidates. */
  passOver(): readonly [] {
    this.#isAnyPassedOver = true;
    if (this.#isAnyPlaced) this.#isDue = true;
    return [];
  }

  nominated(): void {
    if (this.#isAnyRefused) this.#isDue = true;
  }

  /** `isUnseen`: it was read before who runs. */
  placed({ isUnseen }: { readonly isUnseen: boolean }): void {
    this.#isAnyPlaced = true;
    if (this.#isReclaimRefused || this.#isAnyPassedOver) this.#isDue = true;
    if (isUnseen) this.#areUnseen = true;
  }
}
