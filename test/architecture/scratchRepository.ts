import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
/** What the checks read besides the sources. */
const rulesOfTheHouse = ['.dependency-cruiser.cjs', '.oxlintrc.json', 'tsconfig.json', 'package.json'];

/** A folder outside the repository with the repository's own rules and only these sources; disposed with its files. */
export async function makeScratchRepository(
  sources: Readonly<Record<string, string>>,
): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'shoal-rules-'));
  for (const file of rulesOfTheHouse) await cp(join(root, file), join(path, file));
  await symlink(join(root, 'node_modules'), join(path, 'node_modules'));
  for (const [file, text] of Object.entries(sources)) {
    await mkdir(dirname(join(path, file)), { recursive: true });
    await writeFile(join(path, file), text);
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
