/**
 * Quantities and durations as people write them (`500m`, `64Gi`, `5m`), and as the core counts them: integers whose
 * unit closes the name. Parsers answer undefined for anything else; the caller names the field.
 */

/** 1000 = one GPU. */
export const gpuMilliPerGpu = 1000;

const durationUnitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const byteUnits: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};

/** `90m`, `1h30m`, `0s` → milliseconds; at most ten years. */
export function parseDurationMs(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    totalMs += Number(amount) * (durationUnitsMs[unit ?? ''] ?? Number.NaN);
  }
  const ms = Math.round(totalMs);
  return Number.isSafeInteger(ms) && ms <= 10 * 365 * 86_400_000 ? ms : undefined;
}

/** `500m` → 500, `64` → 64000, `1.5` → 1500: thousandths. */
export function parseQuantityMilli(text: string): number | undefined {
  const match = /^(\d+(?:\.\d{1,3})?)(m?)$/.exec(text);
  if (match === null) return undefined;
  const milli = Number(match[1]) * (match[2] === 'm' ? 1 : 1000);
  const whole = Math.round(milli);
  return Number.isSafeInteger(whole) && Math.abs(whole - milli) < 1e-6 ? whole : undefined;
}

/** `64Gi` → bytes; decimal (k M G T P) and binary (Ki Mi Gi Ti Pi) suffixes. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)$/.exec(text);
  if (match === null) return undefined;
  const bytes = Number(match[1]) * (byteUnits[match[2] ?? ''] ?? Number.NaN);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Milliseconds → the shortest exact form: 300000 → `5m`, 1500 → `1500ms`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const unitMs = durationUnitsMs[unit] ?? 1;
    if (ms % unitMs === 0) return `${ms / unitMs}${unit}`;
  }
  return `${ms}ms`;
}

/** Thousandths → `500m` or `64`. */
export function formatQuantity(milli: number): string {
  return milli % 1000 === 0 ? String(milli / 1000) : `${milli}m`;
}

/** Bytes → the largest binary suffix that is exact: 68719476736 → `64Gi`. */
export function formatBytes(bytes: number): string {
  for (const unit of ['Pi', 'Ti', 'Gi', 'Mi', 'Ki'] as const) {
    const size = byteUnits[unit] ?? 1;
    if (bytes > 0 && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return String(bytes);
}
