import { glob, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { commandSources, sourcesFor } from './commands.ts';
import { buildWholeProgram } from './program.ts';

const here = dirname(fileURLToPath(import.meta.url));

/** What one file and all that it imports at once load: own files by their path in the room, the rest by their specifier. */
async function loadedWith(file: string, seen = new Set<string>()): Promise<Set<string>> {
  const own = relative(here, file);
  if (seen.has(own)) return seen;
  seen.add(own);
  const text = await readFile(file, 'utf8');
  const specifiers = [...text.matchAll(/^(?:import|export) (?!type)[^;]*?from '([^']+)';/gms)].map(([, specifier = '']) => specifier);
  for (const each of specifiers) {
    if (each.startsWith('.')) await loadedWith(join(dirname(file), each), seen);
    else seen.add(each);
  }
  return seen;
}

/** Ours are read, stripped of types and compiled one by one: each costs about as much as it seems small. */
test('a start loads commander and these few files before the command that was typed', async () => {
  expect([...(await loadedWith(join(here, 'main.ts')))].sort()).toEqual([
    '#vocabulary/units.ts',
    'cliError.ts',
    'commander',
    'commands.ts',
    'escapes.ts',
    'exitCodes.ts',
    'flags.ts',
    'io.ts',
    'main.ts',
    'node:events',
    'program.ts',
    'reportError.ts',
  ]);
});

test("a command's flags and help load next to nothing beside the start; what runs it comes when it runs", async () => {
  const start = await loadedWith(join(here, 'main.ts'));
  const files = await Array.fromAsync(glob('cmd/*/command.ts', { cwd: here }));
  expect(files.length).toBeGreaterThan(10);
  const loaded = await Promise.all(files.map((file) => loadedWith(join(here, file))));
  const more = new Set(loaded.flatMap((each) => [...each]).filter((each) => !start.has(each) && !files.includes(each)));
  expect([...more].sort()).toEqual(['#vocabulary/didYouMean.ts', 'command.ts']);
});

test('only the file of the typed command is loaded; help, flags first and typing errors need all', () => {
  expect(sourcesFor(['uncordon', 'node-1']).flatMap(({ verbs }) => verbs)).toEqual(['cordon', 'uncordon', 'drain']);
  for (const words of [[], ['help', 'get'], ['--context', 'a', 'get'], ['gte'], ['--help']]) expect(sourcesFor(words)).toBe(commandSources);
});

test('the table of commands names exactly what its files add', async () => {
  const silent = { isTty: false, write: () => undefined, drained: async () => undefined };
  const program = await buildWholeProgram({ stdout: silent, stderr: silent });
  expect(program.commands.map((each) => each.name())).toEqual(commandSources.flatMap(({ verbs }) => verbs));
});

test('version --client reads no keys and no configuration', async () => {
  const outside = [...(await loadedWith(join(here, 'cmd/version/run.ts')))].filter((each) => each.startsWith('node:')).sort();
  expect(outside).toEqual(['node:fs']);
});
