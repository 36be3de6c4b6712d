import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { printReference, referencePath } from './reference.ts';

test('the reference in docs is what the commands say; node cli/reference.ts writes it', async () => {
  const text = await readFile(new URL(`../${referencePath}`, import.meta.url), 'utf8');
  expect(text).toBe(await printReference());
});
