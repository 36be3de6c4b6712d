export interface UsageNow {
  readonly busyGpus: number;
  readonly idleGpus: number;
  readonly downGpus: number;
  /** Of the first job that waits; undefined when none does. */
  readonly headGpus: number | undefined;
}

/** How the GPUs are used over time: integrals of what held since the last event. */
export class UsageMeter {
  readonly #firstSubmitS: number;
  readonly #lastSubmitS: number;
  #atS: number;
  #busyInWindowGpuS = 0;
  #queuedS = 0;
  #idleWhileQueuedGpuS = 0;
  #blockedByShapeS = 0;
  #downGpuS = 0;

  constructor({ firstSubmitS, lastSubmitS }: { readonly firstSubmitS: number; readonly lastSubmitS: number }) {
    this.#firstSubmitS = firstSubmitS;
    this.#lastSubmitS = lastSubmitS;
    this.#atS = firstSubmitS;
  }

  /** The state has been the same since the last call. */
  advance(toS: number, { busyGpus, idleGpus, downGpus, headGpus }: UsageNow): void {
    const inWindowS = Math.min(toS, this.#lastSubmitS) - this.#atS;
    if (inWindowS > 0) this.#busyInWindowGpuS += busyGpus * inWindowS;
    if (headGpus !== undefined) {
      const forS = toS - this.#atS;
      this.#queuedS += forS;
      this.#idleWhileQueuedGpuS += idleGpus * forS;
      if (headGpus <= idleGpus) this.#blockedByShapeS += forS;
    }
    this.#downGpuS += downGpus * (toS - this.#atS);
    this.#atS = toS;
  }

  /** GPU-seconds of nodes that were away. */
  get downGpuS(): number {
    return this.#downGpuS;
  }

  /** In percent; each is 0 where there was no such time. */
  shares(totalGpus: number): { readonly utilPct: number; readonly idleWhileQueuedPct: number; readonly fragBlockedPct: number } {
    return {
      utilPct: percent(this.#busyInWindowGpuS, totalGpus * (this.#lastSubmitS - this.#firstSubmitS)),
      idleWhileQueuedPct: percent(this.#idleWhileQueuedGpuS, totalGpus * this.#queuedS),
      fragBlockedPct: percent(this.#blockedByShapeS, this.#queuedS),
    };
  }
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (100 * part) / whole;
}
