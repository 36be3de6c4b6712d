import { formatDuration, parseDurationMs } from '#vocabulary/units.ts';
import { excerpt, type Problems } from './fieldProblem.ts';

/** The duration of a field, within bounds; null: not given, or out of range, which goes to `problems`. */
export function durationMs(
  text: string,
  path: string,
  { minMs, maxMs = Number.MAX_SAFE_INTEGER }: { readonly minMs: number; readonly maxMs?: number },
  problems: Problems,
): number | null {
  if (text === '') return null;
  const ms = parseDurationMs(text) ?? Number.NaN;
  if (ms >= minMs && ms <= maxMs) return ms;
  const atMost = maxMs === Number.MAX_SAFE_INTEGER ? '' : ` and at most ${formatDuration(maxMs)}`;
  problems.add(path, `${excerpt(text)} is out of range; allowed: ${minMs > 0 ? 'more than 0s' : 'at least 0s'}${atMost}`);
  return null;
}
