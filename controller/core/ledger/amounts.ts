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

/** Time that is nobody's. Of `reserved` only what lies free on spare nodes: the rest is kept for some job, and is its, or is a reservation's. */
export const freeCategories = ['reserved', 'unhealthy', 'cordoned', 'idle'] as const satisfies readonly LedgerCategory[];
export type FreeCategory = (typeof freeCategories)[number];

/** Time in which some job holds the GPU. */
const heldCategories = [
  'productive',
  'starting',
  'checkpointing',
  'recomputed',
  'stalled',
  'suspending',
] as const satisfies readonly LedgerCategory[];
export type HeldCategory = (typeof heldCategories)[number];

/** Time that is some job's, as it holds the GPU or as it is kept for it: what the totals by user, queue and project are made of. */
export const jobCategories = [...heldCategories, 'reserved'] as const satisfies readonly LedgerCategory[];

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

/** Both are safe integers; their product need not be. */
export function milliTime(elapsedMs: number, milli: number): bigint {
  const product = elapsedMs * milli;
  return Number.isSafeInteger(product) ? BigInt(product) : BigInt(elapsedMs) * BigInt(milli);
}

export function addAmounts(sum: Amounts, more: Readonly<Amounts>): void {
  for (const category of ledgerCategories) sum[category] += more[category];
}

/** Whose time is kept; see totals.ts. */
export const totalKinds = ['user', 'queue', 'project'] as const;
export type TotalKind = (typeof totalKinds)[number];
export type Totals = { readonly [K in TotalKind]: Map<string, Amounts> };

export function noTotals(): Totals {
  return { user: new Map(), queue: new Map(), project: new Map() };
}
