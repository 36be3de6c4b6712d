/**
 * What GPU time is spent on, in milli-GPU-milliseconds (one GPU for one second = 1,000,000). Integers without end:
 * 100,000 GPUs pass 2^53 in a day.
 */
export const ledgerCategories = [
  'productive',
  'starting',
  'checkpointing',
  'recomputed',
  'stalled',
  'suspending',
  'reserved',
  'unhealthy',
  'cordoned',
  'idle',
] as const;
export type LedgerCategory = (typeof ledgerCategories)[number];
export type Amounts = Record<LedgerCategory, bigint>;

export function noAmounts(): Amounts {
  return {
    productive: 0n,
    starting: 0n,
    checkpointing: 0n,
    recomputed: 0n,
    stalled: 0n,
    suspending: 0n,
    reserved: 0n,
    unhealthy: 0n,
    cordoned: 0n,
    idle: 0n,
  };
}
