import type { Policy } from '#core/context.ts';
import { judgePolicy } from '#core/judgePolicy.ts';
import { defaultPolicy } from '#controller/limits.ts';
import { memberPath } from '#codec/fieldPath.ts';
import type { Problems } from '#codec/fieldProblem.ts';
import { positiveNumbers, readSettings } from '#codec/settings.ts';
import { speedNames } from '#core/schedule/mesh/linkSpeeds.ts';
import type { Levels } from '#vocabulary/topology.ts';

/** The controller's own defaults with what the file changes. */
export function parsePolicy(value: unknown, path: string, levels: Levels, problems: Problems): Policy {
  const readers = { bandwidths: positiveNumbers(speedNames(levels)) };
  const changes = value === undefined ? {} : readSettings(value, path, { ...defaultPolicy }, problems, readers);
  if (changes['levels'] !== undefined) problems.add(memberPath(path, 'levels'), 'is given by cluster.levels');
  const policy: Policy = { ...Object.assign({ ...defaultPolicy }, changes), levels };
  for (const { names, message } of judgePolicy(policy)) problems.add(names.reduce(memberPath, path), message);
  return policy;
}
