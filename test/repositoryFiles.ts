import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const repositoryRoot = resolve(import.meta.dirname, '..');

/** Paths of all files that are, or would be, committed. */
export function listFiles(): readonly string[] {
  const output = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: repositoryRoot });
  const paths = output.toString().split('\0');
  return paths.filter((path) => path !== '' && existsSync(join(repositoryRoot, path))).sort();
}

export function readText(path: string): string {
  return readFileSync(join(repositoryRoot, path), 'utf8');
}

/** Folders, deepest last, without those that git ignores. */
export function listFolders(folder = '.'): readonly string[] {
  const below = readdirSync(join(repositoryRoot, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !/^([.]git|[.]shoal.*|node_modules|dist|coverage|__pycache__)$/.test(entry.name))
    .map((entry) => (folder === '.' ? entry.name : `${folder}/${entry.name}`));
  return below.flatMap((path) => [path, ...listFolders(path)]);
}

/** Lines of the fenced blocks that are commands: of `sh` and `console` blocks, and of blocks without a language. */
export function commandLines(markdown: string): readonly string[] {
  const blocks = [...markdown.matchAll(/^```(\w*)\n(.*?)^```/gms)].filter(([, language]) => ['', 'sh', 'console'].includes(language ?? ''));
  return blocks.flatMap(([, , body]) => (body ?? '').split('\n').map((line) => line.trim().replace(/^\$ /, '')));
}
