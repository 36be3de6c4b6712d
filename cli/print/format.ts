import type { Timestamp } from '@bufbuild/protobuf/wkt';

/** Small pieces of text of which `describe` is made. */

/** ISO 8601, seconds; `-` when it never happened. */
export function formatTime(at: Timestamp | undefined): string {
  return at === undefined ? '-' : new Date(timeMs(at)).toISOString().replace(/\.\d+Z$/, 'Z');
}

export function timeMs(at: Timestamp): number {
  return Number(at.seconds) * 1000 + Math.floor(at.nanos / 1e6);
}

/** kubectl's ages: 45s, 5m, 3h12m, 2d4h. */
export function formatAge(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 120) return `${s}s`;
  const m = Math.floor(s / 60);
  if (m < 10) return s % 60 === 0 ? `${m}m` : `${m}m${s % 60}s`;
  if (m < 180) return `${m}m`;
  const h = Math.floor(m / 60);
  if (h < 8) return m % 60 === 0 ? `${h}h` : `${h}h${m % 60}m`;
  if (h < 48) return `${h}h`;
  const d = Math.floor(h / 24);
  return d < 8 && h % 24 !== 0 ? `${d}d${h % 24}h` : `${d}d`;
}

/** `data=2, tensor=2`, in the order given; `<none>` when empty. */
export function formatMap(map: Readonly<Record<string, string | number>>, keys: readonly string[] = Object.keys(map).sort()): string {
  const pairs = keys.flatMap((key) => (map[key] === undefined ? [] : [`${key}=${map[key]}`]));
  return pairs.length === 0 ? '<none>' : pairs.join(', ');
}

/** `[0,1,2,5]` → `0-2,5`. */
export function formatIndices(indices: readonly number[]): string {
  const parts: string[] = [];
  const sorted = [...indices].sort((a, b) => a - b);
  for (let at = 0; at < sorted.length; at++) {
    const first = sorted[at] ?? 0;
    let last = first;
    while (sorted[at + 1] === last + 1) last = sorted[++at] ?? last;
    parts.push(first === last ? String(first) : `${first}-${last}`);
  }
  return parts.join(',');
}

/** Milli-GPU-milliseconds → GPU-seconds with three decimals at most, exact up to the millisecond. */
export function formatGpuSeconds(milliGpuMs: bigint): string {
  const thousandths = milliGpuMs / 1000n;
  const rest = String(thousandths % 1000n)
    .padStart(3, '0')
    .replace(/0+$/, '');
  return rest === '' ? String(thousandths / 1000n) : `${thousandths / 1000n}.${rest}`;
}

/** Milli-GPU-milliseconds → GPU-hours with two decimals, cut off. */
export function formatGpuHours(milliGpuMs: bigint): string {
  const hundredths = milliGpuMs / 36_000_000n;
  return `${hundredths / 100n}.${String(hundredths % 100n).padStart(2, '0')}`;
}

/** A word of a shell: quoted only when it must be. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Thousandths of GPUs → GPUs, with as many decimals as it takes: 8, 0.5. */
export function formatGpus(gpuMilli: bigint): string {
  return String(Number(gpuMilli) / 1000);
}
