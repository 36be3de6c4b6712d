import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type CheckResult, execTool, fieldOf, listOf, parseJson } from './checkTool.ts';

/** Folders that the linter reads; only those that exist are passed on, because it refuses a name that does not. */
const lintedFolders = ['proto', 'controller', 'agent', 'gateway', 'cli', 'console', 'sim', 'test', 'tools', 'bench', 'examples'];

/**
 * The rules of .oxlintrc.json, with types: a promise that nobody awaits is found only so. The report is read as JSON,
 * because the linter chooses another form for people by where it believes to run.
 */
export async function checkLint(root: string): Promise<CheckResult> {
  const folders = lintedFolders.filter((folder) => existsSync(join(root, folder)));
  const args = ['--type-aware', '--deny-warnings', '--report-unused-disable-directives', '--format=json', ...folders];
  const { exitCode, stdout, stderr } = await execTool('oxlint', args, root);
  const report = parseJson(stdout);
  const files = fieldOf(report, 'number_of_files');
  if (typeof files !== 'number' || files === 0) return { kind: 'failed', output: `the linter has read no file\n${stdout}${stderr}` };
  const findings = listOf(fieldOf(report, 'diagnostics')).map(describeFinding).sort();
  if (exitCode === 0 && findings.length === 0) return { kind: 'ok', note: `${files} files` };
  return { kind: 'failed', output: findings.length > 0 ? findings.join('\n') : `the linter failed with ${exitCode}\n${stderr}` };
}

/** `path:line:column: plugin(rule): message`, with the linter's advice below. */
function describeFinding(finding: unknown): string {
  const span = fieldOf(listOf(fieldOf(finding, 'labels'))[0], 'span');
  const place = `${textOf(finding, 'filename')}:${textOf(span, 'line')}:${textOf(span, 'column')}`;
  const help = textOf(finding, 'help');
  return `${place}: ${textOf(finding, 'code')}: ${textOf(finding, 'message')}${help === '' ? '' : `\n  ${help}`}`;
}

function textOf(value: unknown, name: string): string {
  const field = fieldOf(value, name);
  return typeof field === 'string' || typeof field === 'number' ? String(field) : '';
}
