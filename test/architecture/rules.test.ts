/**
 * The walls hold: each forbidden thing is planted in a scratch copy of the house, and the check that `npm run check` runs
 * must refuse it by the right rule. The first test of each group shows that the same house without the plant passes.
 */
import { describe, expect, test } from 'vitest';
import { checkLint } from '../../tools/checkLint.ts';
import { checkRooms } from '../../tools/checkRooms.ts';
import type { CheckResult } from '../../tools/checkTool.ts';
import { makeScratchRepository } from './scratchRepository.ts';

const house = {
  'proto/vocabulary/ids.ts': 'export const first = 1;\n',
  'controller/core/step.ts': "import { first } from '#vocabulary/ids.ts';\nexport const step = (now: number): number => now + first;\n",
  'controller/ports/store.ts': "import type { step } from '#core/step.ts';\nexport type Stored = ReturnType<typeof step>;\n",
  'controller/loop/run.ts':
    "import { step } from '#core/step.ts';\nexport async function run(): Promise<number> {\n  return await Promise.resolve(step(1));\n}\n",
  'controller/api/failure.ts': 'export const asRpc = 4;\n',
  'controller/adapters/sqlite/sqliteStore.ts':
    "import { DatabaseSync } from 'node:sqlite';\nexport const open = (): DatabaseSync => new DatabaseSync(':memory:');\n",
  'controller/adapters/memory/memoryStore.ts': "import type { Stored } from '../../ports/store.ts';\nexport const kept: Stored[] = [];\n",
  'agent/core/converge.ts': "import { first } from '#vocabulary/ids.ts';\nexport const converge = (): number => first;\n",
  'cli/main.ts': "import { first } from '#vocabulary/ids.ts';\nexport const main = (): number => first;\n",
  'sim/world/world.ts': "import { step } from '#core/step.ts';\nexport const world = step(3);\n",
  'test/support.ts': "import { step } from '#core/step.ts';\nexport const seen = step(2);\n",
};

async function judge(check: (root: string) => Promise<CheckResult>, planted: Readonly<Record<string, string>>): Promise<CheckResult> {
  await using scratch = await makeScratchRepository({ ...house, ...planted });
  return await check(scratch.path);
}

/** The lines that name a rule; the empty text when the check passed. */
async function refusal(check: (root: string) => Promise<CheckResult>, planted: Readonly<Record<string, string>>): Promise<string> {
  const result = await judge(check, planted);
  return result.kind === 'failed' ? result.output : '';
}

describe('imports between rooms', () => {
  test('a house that keeps its walls passes, and every file of it was read', async () => {
    expect(await judge(checkRooms, {})).toEqual({ kind: 'ok', note: expect.stringMatching(/^\d+ files$/) });
  });

  const forbidden: readonly (readonly [string, string, string, string])[] = [
    ['agent -> controller', 'agent/core/bad1.ts', "export { step } from '#core/step.ts';", 'room-agent-core'],
    ['agent adapter -> controller', 'agent/adapters/link/bad2.ts', "export { step } from '#core/step.ts';", 'room-agent-adapters'],
    ['cli -> controller', 'cli/bad3.ts', "export { step } from '#core/step.ts';", 'room-cli'],
    [
      'cli -> agent, a type only',
      'cli/bad4.ts',
      "import type { converge } from '#agent/core/converge.ts';\nexport type C = typeof converge;",
      'room-cli',
    ],
    ['cli -> sim', 'cli/bad19.ts', "export { world } from '#sim/world/world.ts';", 'room-cli'],
    ['sim -> controller loop', 'sim/bad20.ts', "export { run } from '#controller/loop/run.ts';", 'room-sim'],
    [
      'a test of sim -> loop',
      'sim/bad21.test.ts',
      "export { run } from '#controller/loop/run.ts';",
      'tests-of-the-simulator-see-what-it-sees',
    ],
    ['controller -> agent', 'controller/main.ts', "export { converge } from '#agent/core/converge.ts';", 'room-controller-main'],
    ['core -> adapters', 'controller/core/bad5.ts', "export { kept } from '../adapters/memory/memoryStore.ts';", 'room-controller-core'],
    [
      'core -> ports',
      'controller/core/bad6.ts',
      "import type { Stored } from '../ports/store.ts';\nexport type S = Stored;",
      'room-controller-core',
    ],
    ['core -> node', 'controller/core/bad7.ts', "export { readFileSync } from 'node:fs';", 'room-controller-core'],
    ['core -> package', 'controller/core/bad8.ts', "export { pino } from 'pino';", 'room-controller-core'],
    ['forecasts -> api', 'controller/forecasts/bad22.ts', "export { asRpc } from '../api/failure.ts';", 'room-controller-forecasts'],
    ['loop -> adapters', 'controller/loop/bad9.ts', "export { kept } from '../adapters/memory/memoryStore.ts';", 'room-controller-loop'],
    ['vocabulary -> core', 'proto/vocabulary/bad10.ts', "export { step } from '#core/step.ts';", 'room-proto-vocabulary'],
    [
      'adapter -> adapter',
      'controller/adapters/redis/bad11.ts',
      "export { open } from '../sqlite/sqliteStore.ts';",
      'adapters-do-not-know-each-other',
    ],
    ['loop -> grpc', 'controller/loop/bad12.ts', "export { Server } from '@grpc/grpc-js';", 'grpc-at-the-edge-only'],
    ['api -> sqlite', 'controller/api/bad13.ts', "export { DatabaseSync } from 'node:sqlite';", 'sqlite-behind-its-port-only'],
    ['api -> x509', 'controller/api/bad14.ts', "export { X509Certificate } from '@peculiar/x509';", 'certificates-are-made-in-two-places'],
    ['product -> test', 'cli/bad15.ts', "export { seen } from '../test/support.ts';", 'nobody-looks-at-onlookers'],
    [
      'product -> development package',
      'controller/loop/bad16.ts',
      "export { test } from 'vitest';",
      'no-development-package-in-the-product',
    ],
    ['a new room without a rule', 'controller/gossip/bad17.ts', "export { first } from '#vocabulary/ids.ts';", 'room-without-a-rule'],
    ['an import that leads nowhere', 'cli/bad18.ts', "export { lost } from './lost.ts';", 'nothing-unresolved'],
    ['a circle', 'proto/vocabulary/again.ts', "export { again } from './circle.ts';\nexport const first = 1;", 'no-circle'],
  ];

  test('each forbidden import is refused, by the rule that names its reason', async () => {
    const planted = Object.fromEntries(forbidden.map(([, path, text]) => [path, `${text}\n`]));
    const output = await refusal(checkRooms, {
      ...planted,
      'proto/vocabulary/circle.ts': "export { first as again } from './again.ts';\n",
    });
    const refused = output.matchAll(/^([a-z0-9-]+): (\S+) -> /gm).map((match) => `${match[1]} ${match[2]}`);
    expect([...refused]).toEqual(expect.arrayContaining(forbidden.map(([, path, , rule]) => `${rule} ${path}`)));
  });

  test('a house in which nothing could be read does not pass', async () => {
    await using scratch = await makeScratchRepository({ 'docs/empty.md': '\n' });
    expect(await checkRooms(scratch.path)).toMatchObject({ kind: 'failed' });
  });
});

describe('lint', () => {
  test('a house without faults passes', async () => {
    expect(await judge(checkLint, {})).toMatchObject({ kind: 'ok' });
  });

  test('clocks, randomness, timers and I/O in a core are refused, each with its reason', async () => {
    const bad = [
      "import { readFileSync } from 'node:fs';",
      'export const a = (): number => Date.now();',
      'export const b = (): number => Math.random();',
      'export const c = (): number => performance.now();',
      'export const d = (): string | undefined => process.env.HOME;',
      'export const e = (): unknown => setTimeout(() => undefined, 1);',
      "export const f = (): unknown => readFileSync('x');",
      '',
    ].join('\n');
    for (const path of ['controller/core/bad.ts', 'agent/core/bad.ts']) {
      const output = await refusal(checkLint, { [path]: bad });
      const places = [...output.matchAll(/bad[.]ts:(\d+):\d+: /g)].map((match) => Number(match[1]));
      expect(new Set(places)).toEqual(new Set([1, 2, 3, 4, 5, 6]));
      expect(output).toContain('the same log must fold to the same state');
      expect(output).toContain('the same seed must give the same bytes');
    }
  });

  test('the same lines are allowed outside a core', async () => {
    expect(await refusal(checkLint, { 'controller/loop/clock.ts': 'export const nowMs = (): number => Date.now();\n' })).toBe('');
  });

  const faults: readonly (readonly [string, string, string])[] = [
    ['a floating promise', "import { run } from './run.ts';\nexport function start(): void {\n  run();\n}", 'no-floating-promises'],
    [
      'a promise silenced with void',
      "import { run } from './run.ts';\nexport function start(): void {\n  void run();\n}",
      'no-floating-promises',
    ],
    [
      'a promise as a condition',
      "import { run } from './run.ts';\nexport const yes = (): number => (run() ? 1 : 0);",
      'no-misused-promises',
    ],
    [
      'an await of what is no promise',
      'export async function wait(value: number): Promise<number> {\n  return await value;\n}',
      'await-thenable',
    ],
    [
      'a forgotten case',
      "export function name(kind: 'a' | 'b'): string {\n  switch (kind) {\n    case 'a':\n      return 'a';\n  }\n  return '';\n}",
      'switch-exhaustiveness-check',
    ],
    ['any', 'export const anything = (value: any): unknown => value;', 'no-explicit-any'],
    ['a non-null assertion', 'export const sure = (value: string | null): string => value!;', 'no-non-null-assertion'],
    ['a cast', 'export const cast = (value: unknown): string => value as string;', 'consistent-type-assertions'],
    ['a default export', 'const value = 1;\nexport default value;', 'no-default-export'],
    ['a loose comparison', 'export const same = (a: unknown, b: unknown): boolean => a == b;', 'eqeqeq'],
    ['a line printed past the logger', "export const shout = (): void => console.log('here');", 'no-console'],
    ['a file of more than 400 lines', 'export const long = 1;\n'.padEnd(430, '\n'), 'max-lines'],
    ['a function of more than 70 lines', `export function long(): void {${'\n'.repeat(75)}}`, 'max-lines-per-function'],
  ];

  test('each fault is refused, by the rule that names it', async () => {
    const planted = Object.fromEntries(faults.map(([, text], at) => [`controller/loop/fault${at}.ts`, `${text}\n`]));
    const output = await refusal(checkLint, planted);
    const refused = output.matchAll(/^([^\s:]+):\d+:\d+: [a-z]+[(]([a-z-]+)[)]/gm).map((match) => `${match[2]} ${match[1]}`);
    expect([...refused]).toEqual(expect.arrayContaining(faults.map(([, , rule], at) => `${rule} controller/loop/fault${at}.ts`)));
  });
});
