/** docs/reference/manifests.md is printed from the proto files; `npm run generate` writes it, the check compares. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { printManifestReference } from './checkReferenceText.ts';
import { type CheckResult, execTool } from './checkTool.ts';

const target = 'docs/reference/manifests.md';

if (import.meta.main) await writeFile(target, await freshText());

export async function checkReference(): Promise<CheckResult> {
  const [want, have] = await Promise.all([freshText(), readFile(target, 'utf8').catch(() => '')]);
  return want === have
    ? { kind: 'ok', note: '' }
    : { kind: 'failed', output: `${target} is not what the proto files say (npm run generate)` };
}

/** buf's descriptors, unlike the generated code, still hold the comments. */
async function freshText(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'shoal-reference-'));
  try {
    const image = join(folder, 'image.binpb');
    const { exitCode, stderr } = await execTool('buf', ['build', '--output', image], process.cwd());
    if (exitCode !== 0) throw new Error(`buf build: ${stderr}`);
    return printManifestReference(await readFile(image));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
