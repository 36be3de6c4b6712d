import { readFile } from 'node:fs/promises';
import { describeProblem, Problems } from '#codec/fieldProblem.ts';
import { describeTextProblem, parseManifests } from '#codec/manifestYaml.ts';
import { memberPath } from '#codec/fieldPath.ts';
import { positiveNumbers, readSettings } from '#codec/settings.ts';
import type { Policy } from '#core/context.ts';
import { judgePolicy } from '#core/judgePolicy.ts';
import { speedNames } from '#core/schedule/mesh/linkSpeeds.ts';
import type { Levels } from '#vocabulary/topology.ts';
import { ConfigError } from './config.ts';
import { defaultPolicy } from './limits.ts';

/** The settings of the scheduling core that a file changes, over the defaults. Throws ConfigError with every problem at its place. */
export async function readPolicyFile(path: string, levels: Levels): Promise<Policy> {
  const parsed = parseManifests(await readText(path), path);
  if (!parsed.ok) throw new ConfigError(`--policy: ${parsed.problems.map(describeTextProblem).join('\n')}`);
  const [document, second] = parsed.documents;
  if (document === undefined) throw new ConfigError(`--policy: ${path} holds no settings`);
  if (second !== undefined) throw new ConfigError(`--policy: ${path}:${second.start.line}: a second document; allowed: one`);
  const problems = new Problems();
  const changes = readSettings(document.json, '', { ...defaultPolicy }, problems, {
    bandwidths: positiveNumbers(speedNames(levels)),
  });
  if (changes['levels'] !== undefined) problems.add('levels', 'is given by --levels');
  const policy: Policy = { ...Object.assign({ ...defaultPolicy }, changes), levels };
  for (const { names, message } of judgePolicy(policy)) problems.add(names.reduce(memberPath, ''), message);
  if (problems.found.length > 0) {
    const lines = problems.found.map((problem) => {
      const { line, column } = document.locate(problem.field);
      return `${path}:${line}:${column}: ${describeProblem(problem)}`;
    });
    throw new ConfigError(`--policy: ${lines.join('\n')}`);
  }
  return policy;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`--policy: cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
