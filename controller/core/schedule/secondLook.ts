/**
 * Whether a pass has to be followed by another one at once, so that a pass after that decides nothing. A job that was refused
 * victims may be entitled to some by what the pass did after, or could not see:
 *
 *   - somebody else was nominated: with those victims gone a queue may be below its guarantee
 *   - somebody was placed: a queue may be above its guarantee, which a job of a guaranteed queue may take back
 *   - somebody was placed after it was read who runs, and so was no candidate
 */
export class SecondLook {
  #isAnyRefused = false;
  #isReclaimRefused = false;
  #areUnseen = false;
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

  nominated(): void {
    if (this.#isAnyRefused) this.#isDue = true;
  }

  /** `isUnseen`: it was read before who runs. */
  placed({ isUnseen }: { readonly isUnseen: boolean }): void {
    if (this.#isReclaimRefused) this.#isDue = true;
    if (isUnseen) this.#areUnseen = true;
  }
}
