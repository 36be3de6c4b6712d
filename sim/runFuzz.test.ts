import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StampedEvent } from '#core/events.ts';
import type { AttemptRecord, State } from '#core/state/state.ts';
import { currentAttempt } from '#core/state/state.ts';
import { cases, longest } from '#test/cases.ts';
import { runFuzz } from './runFuzz.ts';
import { judgeText } from './testing/judgeText.ts';
import { realCore, type Core } from './world/core.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shoal-fuzz-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function fuzz(flags: readonly string[], core: Core = realCore): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await runFuzz(flags, { out: (part) => (out += part), err: (part) => (err += part) }, core);
  return { code, out, err };
}

test('random scenarios break no promise, and there is something of everything in them', { timeout: longest(120_000) }, async () => {
  const seeds = cases(20);
  const { code, out } = await fuzz(['--seeds', String(seeds)]);
  expect(out.split('\n')[0]).toMatch(new RegExp(`^${seeds} seeds from 1, every promise was kept; `));
  expect(code).toBe(0);
  for (const kind of [
    'JobNominated',
    'NodeLost',
    'GpuHealthChanged',
    'SuspendStaged',
    'LeaderElected',
    'JobHeld',
    'JobRemoved',
    'Preempted',
  ])
    expect(out).toMatch(new RegExp(`^  ${kind} +[1-9]`, 'm'));
});

/** The core, and after each step something that should not be. */
function broken(spoil: (state: State, event: StampedEvent) => void): Core {
  return {
    ...realCore,
    step: (state, inputs, context) => {
      const result = realCore.step(state, inputs, context);
      for (const event of result.events) spoil(state, event);
      return result;
    },
  };
}

function attemptOf(state: State, event: StampedEvent): AttemptRecord | undefined {
  const job = 'uid' in event ? state.jobs.get(event.uid) : undefined;
  return job === undefined ? undefined : currentAttempt(job);
}

const mutants: readonly (readonly [what: string, core: Core, promise: RegExp])[] = [
  [
    'gives a GPU away a second time',
    broken((state, event) => {
      if (event.kind !== 'AttemptPlaced') return;
      const attempt = attemptOf(state, event);
      const [mine] = attempt?.placement ?? [];
      const others = [...state.jobs.values()].filter(({ uid }) => uid !== event.uid).flatMap((job) => currentAttempt(job)?.placement ?? []);
      const taken = others.find(({ node, gpus }) => node === mine?.node && gpus.length > 0 && gpus.length === mine.gpus.length);
      if (taken !== undefined) Object.assign(attempt ?? {}, { placement: [taken, ...(attempt?.placement.slice(1) ?? [])] });
    }),
    /given (away more than once|to and to)/,
  ],
  [
    'places a part of a gang',
    broken((state, event) => {
      const attempt = event.kind === 'AttemptPlaced' ? attemptOf(state, event) : undefined;
      if (attempt !== undefined && attempt.placement.length > 2) Object.assign(attempt, { placement: attempt.placement.slice(1) });
    }),
    /workers are placed|index says/,
  ],
  [
    'has a ledger that is off by one',
    broken((state, event) => {
      if (event.kind === 'AttemptEnded') state.ledger.amounts.idle += 1n;
    }),
    /^ledger categories sum to/,
  ],
  [
    'takes up an old attempt again',
    broken((state, event) => {
      const attempt = event.kind === 'AttemptPlaced' && event.attempt > 1 ? attemptOf(state, event) : undefined;
      if (attempt !== undefined) Object.assign(attempt, { number: attempt.number - 1 });
    }),
    /attempts are not numbered in order/,
  ],
  [
    'knows what is not in its log',
    broken((state, event) => {
      const job = event.kind === 'JobPrioritized' ? state.jobs.get(event.uid) : undefined;
      if (job !== undefined) job.restarts.infrastructure += 1;
    }),
    /^the log folds to another state$/,
  ],
];

describe('a core that', () => {
  test.each(mutants)(
    '%s is found out within a few scenarios, and a small one shows it',
    { timeout: 120_000 },
    async (_what, core, promise) => {
      const { code, out, err } = await fuzz(['--seeds', '30'], core);
      expect(code, err).toBe(1);
      const said = /^# seed (\d+) breaks a promise: (.*)$/m.exec(out);
      expect(said?.[2]).toMatch(promise);
      expect(out.split('\ntimeline:\n')[1]?.trimEnd().split('\n').length).toBeLessThanOrEqual(6);
      expect(out.split('\n').filter((line) => /^ {4}- [{]name: n/.test(line)).length).toBeLessThanOrEqual(3);
      // The file says the same when it is played by itself, and a sound core plays it to its end.
      const message = /^# (broken promise at .*)$/m.exec(out)?.[1];
      expect(judgeText(out, core)).toBe(message);
      expect(judgeText(out, realCore)).toBeNull();
    },
  );
});

test('the same seed shrinks to the same scenario, and --out writes it', { timeout: 120_000 }, async () => {
  const core = mutants[2]?.[1] ?? realCore;
  const file = join(folder, 'broken.yaml');
  const printed = await fuzz(['--seeds', '5'], core);
  expect(await fuzz(['--seeds', '5', '--out', file], core)).toMatchObject({ code: 1, out: '' });
  expect(await readFile(file, 'utf8')).toBe(printed.out);
});

test.each([
  [['--seeds', '0'], '--seeds: "0" is not allowed; allowed: a whole number from 1 to 4294967295'],
  [['--seeds', 'many'], '--seeds: "many" is not allowed'],
  [['--from', '1.5'], '--from: "1.5" is not allowed; allowed: a whole number from 0 to 4294967295'],
  [['--minutes', '0'], '--minutes: "0" is not allowed; allowed: a number above 0'],
  [['--out', ''], '--out: "" is not allowed; allowed: the name of a file'],
  [['--speed', '3'], "Unknown option '--speed'"],
  [['x.yaml'], 'Unexpected argument'],
])('bad flags are refused, and nothing is played: %j', async (flags, said) => {
  const { code, out, err } = await fuzz(flags);
  expect([code, out]).toEqual([2, '']);
  expect(err).toContain(said);
});
