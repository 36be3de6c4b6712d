import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { PkiError } from './pkiError.ts';

export async function makePrivateFolder(folder: string): Promise<void> {
  await orPkiError(folder, mkdir(folder, { recursive: true, mode: 0o700 }));
}

/** Null when there is no such file. */
export async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw filesError(file, error);
  }
}

/** The file is there whole or not at all, also after a power failure. */
export async function writeWhole(file: string, text: string, mode: number): Promise<void> {
  const draft = join(dirname(file), `.${basename(file)}.new`);
  await orPkiError(file, writeDraft(draft, text, mode));
  await orPkiError(file, rename(draft, file));
  await orPkiError(file, syncFolder(dirname(file)));
}

async function writeDraft(draft: string, text: string, mode: number): Promise<void> {
  await using handle = await open(draft, 'w', mode);
  // A draft that a crash left behind keeps its own mode when it is opened again.
  await handle.chmod(mode);
  await handle.writeFile(text);
  await handle.sync();
}

async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, 'r');
  await handle.sync();
}

async function orPkiError(file: string, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    throw filesError(file, error);
  }
}

function filesError(file: string, error: unknown): PkiError {
  return new PkiError('files', `${file}: ${error instanceof Error ? error.message : String(error)}`, error);
}
