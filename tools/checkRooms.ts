import { existsSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { join } from 'node:path';
import { type CheckResult, execTool, fieldOf, listOf, parseJson } from './checkTool.ts';

/** Folders whose imports are judged; only those that exist are passed on. */
const roomFolders = ['proto', 'controller', 'agent', 'gateway', 'cli', 'console', 'sim', 'test', 'tools', 'bench', 'examples'];

/**
 * The walls between the rooms (.dependency-cruiser.cjs). dependency-cruiser passes in silence when it reads nothing, for
 * example with a compiler that it does not know, so every source file must be among those that it says it has read.
 */
export async function checkRooms(root: string): Promise<CheckResult> {
  const folders = roomFolders.filter((folder) => existsSync(join(root, folder)));
  const { stdout, stderr } = await execTool('depcruise', ['--output-type', 'json', ...folders], root);
  const report = parseReport(stdout);
  if (report === undefined) return { kind: 'failed', output: `dependency-cruiser gave no report\n${stdout}${stderr}` };
  const unread = (await sourcesOf(root, folders)).filter((path) => !report.read.has(path));
  const problems = [...report.violations, ...unread.map((path) => `not read by dependency-cruiser: ${path}`)];
  if (report.read.size === 0) problems.push('dependency-cruiser has read no file at all');
  return problems.length === 0 ? { kind: 'ok', note: `${report.read.size} files` } : { kind: 'failed', output: problems.join('\n') };
}

interface Report {
  /** Paths relative to the root. */
  readonly read: ReadonlySet<string>;
  /** One line each, with the rule's name and reason. */
  readonly violations: readonly string[];
}

function parseReport(json: string): Report | undefined {
  const report = parseJson(json);
  const modules = fieldOf(report, 'modules');
  const violations = fieldOf(fieldOf(report, 'summary'), 'violations');
  const rules = fieldOf(fieldOf(fieldOf(report, 'summary'), 'ruleSetUsed'), 'forbidden');
  if (!Array.isArray(modules) || !Array.isArray(violations)) return undefined;
  const reasons = new Map(listOf(rules).map((rule) => [fieldOf(rule, 'name'), fieldOf(rule, 'comment')]));
  return {
    read: new Set(listOf(modules).map((module) => String(fieldOf(module, 'source')))),
    violations: listOf(violations).map((violation) => {
      const name = fieldOf(fieldOf(violation, 'rule'), 'name');
      return `${String(name)}: ${String(fieldOf(violation, 'from'))} -> ${String(fieldOf(violation, 'to'))}\n  ${String(reasons.get(name))}`;
    }),
  };
}

async function sourcesOf(root: string, folders: readonly string[]): Promise<readonly string[]> {
  const paths: string[] = [];
  for await (const path of glob(
    folders.map((folder) => `${folder}/**/*.ts`),
    { cwd: root },
  ))
    paths.push(path.replaceAll('\\', '/'));
  return paths.filter((path) => !path.endsWith('.d.ts')).sort();
}
