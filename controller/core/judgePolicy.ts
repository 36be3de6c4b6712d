import type { Policy } from './context.ts';

export interface PolicyProblem {
  /** Names of the setting and of what it is in: `['spares', 'level']`. */
  readonly names: readonly string[];
  /** The value, and what is allowed. */
  readonly message: string;
}

/** The rules for settings of which only the kinds have been checked. */
export function judgePolicy({ levels, spares, defrag }: Pick<Policy, 'levels' | 'spares' | 'defrag'>): readonly PolicyProblem[] {
  const pools = levels.slice(0, -1);
  const { level, nodes, segmentNodes, emptyChance } = spares;
  return [
    ...judge(['spares', 'level'], `"${level}"`, level === '' || pools.includes(level), ['"" (no pools)', ...pools].join(', ')),
    ...judge(['spares', 'nodes'], nodes, Number.isInteger(nodes), 'a whole number'),
    ...judge(['spares', 'segmentNodes'], segmentNodes, Number.isInteger(segmentNodes) && segmentNodes > 0, 'a whole number from 1'),
    ...judge(['spares', 'emptyChance'], emptyChance, emptyChance > 0 && emptyChance < 1, 'more than 0, less than 1'),
    ...judge(['defrag', 'everyMs'], defrag.everyMs, defrag.everyMs === 0 || defrag.everyMs >= minuteMs, '0 (never), or a minute and more'),
    ...judge(
      ['defrag', 'untilMs'],
      defrag.untilMs,
      defrag.untilMs > defrag.fromMs && defrag.untilMs <= dayMs,
      'more than defrag.fromMs, up to 24h',
    ),
    ...judge(['defrag', 'movesMax'], defrag.movesMax, Number.isInteger(defrag.movesMax), 'a whole number'),
  ];
}

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

function judge(names: readonly string[], value: string | number, holds: boolean, allowed: string): readonly PolicyProblem[] {
  return holds ? [] : [{ names, message: `${value} is not allowed; allowed: ${allowed}` }];
}
