/**
 * The core's stories as text: a command, `----`, what came of it. `SHOAL_REWRITE=1` writes the outputs anew; the change
 * is then read in review. The promises are checked after every step, by the cluster itself.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Scenario } from './scenario.ts';
import { Words } from './words.ts';

const folder = import.meta.dirname;
const scripts = readdirSync(folder).filter((file) => file.endsWith('.txt'));

/** The same text with every output as it is now. Comments (`#`) and their place are kept. */
function replay(text: string): string {
  const scenario = new Scenario();
  const blocks = text.trimEnd().split(/\n{2,}/);
  return `${blocks.map((block) => replayBlock(scenario, block)).join('\n\n')}\n`;
}

function replayBlock(scenario: Scenario, block: string): string {
  const lines = block.split('\n');
  const end = lines.indexOf('----');
  const asked = end < 0 ? lines : lines.slice(0, end);
  const commands = asked.filter((line) => !line.startsWith('#'));
  if (commands.length === 0) return block;
  const output = commands.flatMap((line) => {
    const words = new Words(line);
    const said = scenario.run(words);
    words.assertAllAsked();
    return said;
  });
  return [...asked, '----', ...output].join('\n');
}

describe('what the core makes of', () => {
  test.each(scripts)('%s', (file) => {
    const path = join(folder, file);
    const want = readFileSync(path, 'utf8');
    const is = replay(want);
    if (process.env['SHOAL_REWRITE'] === '1') writeFileSync(path, is);
    else expect(is).toBe(want);
  });

  test('a script says the same when it is told twice', () => {
    expect(scripts.length).toBeGreaterThan(5);
    for (const file of scripts) {
      const text = readFileSync(join(folder, file), 'utf8');
      expect(replay(replay(text))).toBe(replay(text));
    }
  });

  test('a mistyped command or key is an error, not an empty output', () => {
    expect(() => replay('aply a\n----\n')).toThrow('no command is called "aply"');
    expect(() => replay('apply a worker=2\n----\n')).toThrow('"apply" knows no worker');
  });
});
