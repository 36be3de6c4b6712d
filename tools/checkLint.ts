import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type CheckResult, execTool } from './checkTool.ts';

/** Folders that the linter reads; only those that exist are passed on, because it refuses a name that does not. */
const lintedFolders = ['proto', 'controller', 'agent', 'gateway', 'cli', 'console', 'sim', 'test', 'tools', 'bench', 'examples'];

/** The rules of .oxlintrc.json, with types: a promise that nobody awaits is found only so. */
export async function checkLint(root: string): Promise<CheckResult> {
  const folders = lintedFolders.filter((folder) => existsSync(join(root, folder)));
  const args = ['--type-aware', '--deny-warnings', '--report-unused-disable-directives', ...folders];
  const { exitCode, stdout, stderr } = await execTool('oxlint', args, root);
  if (exitCode !== 0) return { kind: 'failed', output: `${stdout}${stderr}` };
  const files = /on (\d+) files/.exec(stdout)?.[1] ?? '0';
  return files === '0' ? { kind: 'failed', output: `the linter has read no file\n${stdout}` } : { kind: 'ok', note: `${files} files` };
}
