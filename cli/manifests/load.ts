/** Manifests from files, folders and stdin, as documents that know where they came from. */
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { manifestBytesMax } from '#codec/manifestYaml.ts';
import { reasonOf } from '../config/configFile.ts';
import { readStdin, type Io } from '../io.ts';
import type { Loaded, Manifest } from './manifest.ts';
import { parseManifests } from './parse.ts';

const extensions = ['.yaml', '.yml', '.json'];

export async function loadManifests(
  { files, recursive }: { readonly files: readonly string[]; readonly recursive: boolean },
  io: Io,
): Promise<Loaded> {
  const manifests: Manifest[] = [];
  const problems: string[] = [];
  for (const file of files) {
    for await (const source of sourcesOf(file, recursive, io)) {
      const loaded = 'problem' in source ? { manifests: [], problems: [source.problem] } : parseManifests(source.name, source.text);
      manifests.push(...loaded.manifests);
      problems.push(...loaded.problems);
    }
  }
  return { manifests, problems };
}

type Source = { readonly name: string; readonly text: string } | { readonly problem: string };

async function* sourcesOf(file: string, recursive: boolean, io: Io): AsyncGenerator<Source> {
  if (file === '-') {
    const text = await readStdin(io, manifestBytesMax);
    yield text === undefined ? { problem: `stdin: more than the limit of ${limitText}` } : { name: 'stdin', text };
    return;
  }
  try {
    if (!(await stat(file)).isDirectory()) {
      yield await readSource(file);
      return;
    }
    for (const path of await filesIn(file, recursive)) yield await readSource(path);
  } catch (error) {
    yield { problem: `${file}: ${said(error)}` };
  }
}

/** Sorted by path, so that the order of a folder is the same everywhere. */
async function filesIn(folder: string, recursive: boolean): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive });
  return entries
    .filter((entry) => entry.isFile() && extensions.some((extension) => entry.name.endsWith(extension)))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

const limitText = `${manifestBytesMax / 1024 / 1024} MiB`;

/** Reads no more than the limit, whatever the file says its size is (a device has none). */
async function readSource(path: string): Promise<Source> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      if (size > manifestBytesMax)
        return { problem: `${path}: ${(size / 1024 / 1024).toFixed(1)} MiB is more than the limit of ${limitText}` };
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      const stream: AsyncIterable<unknown> = file.createReadStream({ autoClose: false, end: manifestBytesMax });
      for await (const chunk of stream) {
        if (!(chunk instanceof Uint8Array)) continue;
        bytes += chunk.length;
        chunks.push(chunk);
      }
      if (bytes > manifestBytesMax) return { problem: `${path}: more than the limit of ${limitText}` };
      return { name: path, text: Buffer.concat(chunks).toString('utf8') };
    } finally {
      await file.close();
    }
  } catch (error) {
    return { problem: `${path}: ${said(error)}` };
  }
}

function said(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 'no such file or folder';
  return reasonOf(error);
}
