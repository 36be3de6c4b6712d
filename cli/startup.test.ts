import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const here = dirname(fileURLToPath(import.meta.url));

/** Everything that `main.ts` loads before a command runs. */
async function loadedAtStart(file: string, seen: Map<string, readonly string[]>): Promise<void> {
  if (seen.has(file)) return;
  const text = await readFile(file, 'utf8');
  const specifiers = [...text.matchAll(/^(?:import|export) (?!type)[^;]*?from '([^']+)';/gms)].map(([, specifier = '']) => specifier);
  seen.set(
    file,
    specifiers.filter((each) => !each.startsWith('.')),
  );
  for (const each of specifiers) if (each.startsWith('.')) await loadedAtStart(join(dirname(file), each), seen);
}

test('nothing heavy is loaded before a command runs', async () => {
  const seen = new Map<string, readonly string[]>();
  await loadedAtStart(join(here, 'main.ts'), seen);
  const outside = [...new Set([...seen.values()].flat())].filter((each) => !each.startsWith('node:')).sort();
  expect(seen.size).toBeGreaterThan(20);
  expect(outside).toEqual(['#vocabulary/didYouMean.ts', '#vocabulary/units.ts', 'commander']);
});
