import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { printSnapshot, restoreSnapshot } from '#core/state/snapshot.ts';
import { emptyState } from '#core/state/emptyState.ts';
import type { State } from '#core/state/state.ts';
import { parseSnapshot } from '#controller/loop/logLine.ts';
import { applyQueue } from '#test/simulation/fakeCluster.ts';
import { queueName, userName } from '#vocabulary/ids.ts';
import { applyQueueEvent } from './applyQueue.ts';
import { pastGpuMilli, settlePast } from './pastUsage.ts';
import { countUsage } from './usage.ts';
import { usageKey } from './usageKey.ts';

const [org, nlp, alice, model] = [queueName('org'), queueName('nlp'), userName('alice'), 'H100'];
const dayMs = 86_400_000;

function apply(state: State, name: string, changes: Parameters<typeof applyQueue>[1], atMs: number): void {
  applyQueueEvent(state, { kind: 'QueueApplied', name: queueName(name), labels: {}, spec: applyQueue(name, changes).spec, atMs });
}

/** org (a week) → nlp (a day). */
function tree(): State {
  const state = emptyState();
  apply(state, 'org', { halfLifeMs: 7 * dayMs }, 0);
  apply(state, 'nlp', { parent: org, halfLifeMs: dayMs }, 0);
  return state;
}

function hold(state: State, gpuMilli: number, atMs: number): void {
  const holding = { queue: nlp, user: alice, model };
  settlePast(state, holding, atMs);
  countUsage(state, { ...holding, gpuMilli: Math.abs(gpuMilli) }, gpuMilli > 0 ? 1 : -1);
}

const past = (state: State, queue: typeof org, nowMs: number): number =>
  pastGpuMilli(state, { queue, key: usageKey.queue(queue, model) }, nowMs);

describe('past usage', () => {
  test('grows to half of a steady holding in one half-life, and falls to half in one without', () => {
    const state = tree();
    hold(state, 8000, 0);
    expect([past(state, nlp, dayMs), past(state, nlp, 2 * dayMs), past(state, org, 7 * dayMs)].map(Math.round)).toEqual([4000, 6000, 4000]);
    hold(state, -8000, dayMs);
    expect([past(state, nlp, 2 * dayMs), past(state, nlp, 4 * dayMs)].map(Math.round)).toEqual([2000, 500]);
    expect(pastGpuMilli(state, { queue: nlp, key: usageKey.user(nlp, alice, model) }, 2 * dayMs)).toBe(past(state, nlp, 2 * dayMs));
  });

  test('does not count without a half-life, and starts to count when there is one', () => {
    const state = tree();
    hold(state, 8000, 0);
    apply(state, 'nlp', { parent: org }, dayMs);
    expect(past(state, nlp, dayMs)).toBe(0);
    apply(state, 'nlp', { parent: org, halfLifeMs: dayMs }, 2 * dayMs);
    expect([past(state, nlp, 2 * dayMs), past(state, nlp, 3 * dayMs)].map(Math.round)).toEqual([0, 4000]);
    expect([...state.past.keys()].filter((key) => key.includes('(jobs)'))).toEqual([]);
  });

  test('keeps its average when the half-life changes', () => {
    const state = tree();
    hold(state, 8000, 0);
    apply(state, 'nlp', { parent: org, halfLifeMs: 30 * dayMs }, dayMs);
    expect(Math.round(past(state, nlp, dayMs))).toBe(4000);
  });

  test('of a removed queue is forgotten', () => {
    const state = tree();
    hold(state, 8000, 0);
    hold(state, -8000, 1);
    applyQueueEvent(state, { kind: 'QueueRemoved', name: nlp, atMs: 2 });
    expect([...state.past.keys()]).toEqual(['queue org H100']);
  });

  test('goes through a snapshot, and one without it is read as none', () => {
    const state = tree();
    hold(state, 8000, 0);
    hold(state, -8000, dayMs);
    const body = printSnapshot(state);
    const restored = restoreSnapshot(parseSnapshot(body));
    expect(restored.past).toEqual(state.past);
    expect(printSnapshot(restored)).toBe(body);
    const { past: _past, ...old } = parseSnapshot(body);
    expect(restoreSnapshot(old).past.size).toBe(0);
  });

  test('is the sum over all that was held, decayed each for itself, however often it was moved on', () => {
    const step = fc.record({
      waitMs: fc.integer({ min: 0, max: 3 * dayMs }),
      gpuMilli: fc.integer({ min: 1, max: 8_000_000 }),
      grow: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
        const state = tree();
        let [nowMs, held, want] = [0, 0, 0];
        for (const { waitMs, gpuMilli, grow } of steps) {
          const keep = 2 ** (-waitMs / dayMs);
          want = want * keep + held * (1 - keep);
          nowMs += waitMs;
          const change = grow || held === 0 ? gpuMilli : -Math.min(held, gpuMilli);
          hold(state, change, nowMs);
          held += change;
        }
        // Rounding to a milli-GPU-millisecond is far below a milli-GPU; 1 - 2^x has the larger error of the two.
        expect(Math.abs(past(state, nlp, nowMs) - want)).toBeLessThan(0.01);
        expect(Number.isInteger(state.past.get(usageKey.queue(nlp, model))?.amount)).toBe(true);
      }),
      { numRuns: cases(200) },
    );
  });
});
