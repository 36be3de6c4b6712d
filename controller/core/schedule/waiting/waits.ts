import type { JobUid } from '#vocabulary/ids.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import type { StateView } from '../../state/view.ts';
import type { Kin } from './rank.ts';
import type { WaitingLines } from './waitingLines.ts';

/** Why waiting jobs wait, as of the last pass. */
export interface Waits extends Iterable<readonly [JobUid, WaitReason]> {
  /** undefined: it does not wait, or the pass has not seen it. */
  get(uid: JobUid): WaitReason | undefined;
}

/** What one pass found: of those that it looked at, and through them of their kin. */
export class PassWaits implements Waits {
  readonly #state: StateView;
  readonly #lines: WaitingLines;
  readonly #own = new Map<JobUid, WaitReason>();
  readonly #ofKin = new Map<Kin, WaitReason>();
  #others: WaitReason | undefined = undefined;

  constructor(state: StateView, lines: WaitingLines) {
    this.#state = state;
    this.#lines = lines;
  }

  set(uid: JobUid, wait: WaitReason): void {
    this.#own.set(uid, wait);
  }

  /** Also of those behind it that are alike. */
  setKin(uid: JobUid, wait: WaitReason): void {
    this.#own.set(uid, wait);
    const kin = this.#lines.kinOf(uid);
    if (kin !== undefined && kin.jobs.length > 1) this.#ofKin.set(kin, wait);
  }

  /** Of all others that wait. */
  setOthers(wait: WaitReason): void {
    this.#others = wait;
  }

  get(uid: JobUid): WaitReason | undefined {
    const own = this.#own.get(uid);
    if (own !== undefined) return own;
    const kin = this.#lines.kinOf(uid);
    if (kin === undefined || this.#state.jobs.get(uid)?.phase.kind !== 'pending') return undefined;
    return this.#ofKin.get(kin) ?? this.#others;
  }

  *[Symbol.iterator](): Iterator<readonly [JobUid, WaitReason]> {
    for (const uid of this.#state.pending) {
      const wait = this.get(uid);
      if (wait !== undefined) yield [uid, wait];
    }
  }
}
