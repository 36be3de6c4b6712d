import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { playWatched } from '#sim/promises/playWatched.ts';
import { parseScenario } from '#sim/scenario/parseScenario.ts';

/** Scenarios that `shoal sim fuzz` made small when a promise broke; each says which. */
const found = new URL('../fixtures/found/', import.meta.url);

test.each(readdirSync(found).sort())('%s breaks no promise any more', (name) => {
  const parsed = parseScenario(readFileSync(new URL(name, found), 'utf8'), name);
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  expect(parsed.scenario.watch).not.toBe('core');
  playWatched(parsed.scenario);
});
