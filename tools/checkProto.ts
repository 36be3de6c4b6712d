/** The wire: buf's lint, no breaking change against main, and generated files that match their sources. */
import { glob, mkdtemp, readFile, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CheckResult, exec, execTool, runTool } from './checkTool.ts';

process.env['BUF_CACHE_DIR'] ??= join(homedir(), '.cache', 'shoal', 'buf');

export async function checkProtoLint(): Promise<CheckResult> {
  return await runTool('buf', ['lint']);
}

/**
 * Compares with the newest commit of main whose proto differs from the working tree's: main itself on a branch or with
 * changes at hand, the commit before on main. So a clone that has nothing but main still judges the last change.
 */
export async function checkBreaking(): Promise<CheckResult> {
  const base = await baseCommit();
  if (base === undefined) return { kind: 'skipped', note: 'main has no other proto to compare with' };
  const folder = await mkdtemp(join(tmpdir(), 'shoal-proto-'));
  try {
    const archive = join(folder, 'main.tar');
    const packed = await git(['archive', '--format=tar', '-o', archive, base, 'proto/shoal', 'buf.yaml']);
    if (packed.exitCode !== 0) return { kind: 'failed', output: packed.stderr };
    const result = await runTool('buf', ['breaking', '--against', archive]);
    return result.kind === 'ok' ? { kind: 'ok', note: `against ${base.slice(0, 9)}` } : result;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Of main's own states: what a branch had on its way was never main's. Undefined: main has no proto, or only the one at hand. */
async function baseCommit(): Promise<string | undefined> {
  for (const branch of ['refs/remotes/origin/main', 'refs/heads/main']) {
    const log = await git(['rev-list', '--first-parent', '--max-count=50', branch, '--', 'proto/shoal']);
    if (log.exitCode !== 0) continue;
    for (const commit of log.stdout.split('\n').filter((line) => line !== '')) {
      const hasProto = (await git(['ls-tree', '--name-only', commit, 'proto/shoal/'])).stdout !== '';
      const differs = (await git(['diff', '--quiet', commit, '--', 'proto/shoal'])).exitCode !== 0;
      if (hasProto && differs) return commit;
    }
  }
  return undefined;
}

async function git(args: readonly string[]): ReturnType<typeof exec> {
  return await exec('git', args, process.cwd());
}

/** Generates into a temporary folder and compares: what is committed must be what the sources give. */
export async function checkGenerated(): Promise<CheckResult> {
  const folder = await mkdtemp(join(tmpdir(), 'shoal-generated-'));
  try {
    const { exitCode, stdout, stderr } = await execTool('buf', ['generate', '--output', folder], process.cwd());
    if (exitCode !== 0) return { kind: 'failed', output: `${stdout}${stderr}` };
    const [want, have] = await Promise.all([filesBelow(join(folder, 'proto/gen')), filesBelow('proto/gen')]);
    const stale = [...new Set([...want.keys(), ...have.keys()])].filter((path) => want.get(path) !== have.get(path)).sort();
    if (stale.length === 0) return { kind: 'ok', note: `${want.size} files` };
    return { kind: 'failed', output: `not what the sources give (npm run generate):\n${stale.join('\n')}` };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function filesBelow(folder: string): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for await (const entry of glob('**/*.{js,ts}', { cwd: folder })) files.set(entry, await readFile(join(folder, entry), 'utf8'));
  return files;
}
