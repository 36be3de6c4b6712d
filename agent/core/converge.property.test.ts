import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cases } from '#test/cases.ts';
import { workerKey } from '#vocabulary/job.ts';
import { applyAction } from './applyAction.ts';
import { converge, type Action } from './converge.ts';
import { entriesBetween, entriesOf, restoreState, type JournalEntry } from './journalEntry.ts';
import { emptyNodeState, type NodeState } from './nodeState.ts';
import { onProgress } from './onProgram.ts';
import { onRankFate, onTreeSeen } from './onRuntime.ts';
import { assign, brief, context, endAll, run, settle, worker } from './testing/coreSteps.ts';

/** A node that is assigned, started, ended and restarted at random. */
describe('whatever happens', () => {
  const names = ['a', 'b', 'c'];
  const desire = fc.oneof(
    fc.constant(run),
    fc.record({ kind: fc.constant('stop' as const), graceMs: fc.constantFrom(0, 50), reason: fc.constant('x') }),
    fc.record({
      kind: fc.constant('suspend' as const),
      round: fc.integer({ min: 1, max: 3 }),
      graceMs: fc.constantFrom(50, 500),
      stage: fc.oneof(
        fc.constant({ kind: 'ask' as const }),
        fc.record({ kind: fc.constantFrom('propose' as const, 'decided' as const), stopStep: fc.integer({ min: 0, max: 5 }) }),
      ),
    }),
  );
  const assigned = fc.record({
    name: fc.constantFrom(...names),
    gpu: fc.integer({ min: 0, max: 1 }),
    desire,
    share: fc.constantFrom(null, 300, 500, 700),
  });
  const event = fc.oneof(
    fc.record({
      kind: fc.constant('assign' as const),
      workers: fc.uniqueArray(assigned, { selector: ({ name }) => name }),
      newEpoch: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('end' as const), at: fc.nat(), exitCode: fc.constantFrom(0, 1, null) }),
    fc.record({ kind: fc.constant('confirm' as const), at: fc.nat(), alive: fc.boolean() }),
    fc.record({ kind: fc.constant('launched' as const), at: fc.nat(), works: fc.boolean() }),
    fc.record({ kind: fc.constant('post' as const), at: fc.nat(), step: fc.integer({ min: 0, max: 5 }) }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 600 }) }),
    fc.constant({ kind: 'restart' as const }),
  );
  type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

  class Model {
    state: NodeState = emptyNodeState;
    journal: JournalEntry[] = [];
    nowMs = 0;
    readonly started = new Map<string, number>();

    happen(each: Event): void {
      const pick = (at: number) => [...this.state.workers.values()][at % Math.max(1, this.state.workers.size)];
      switch (each.kind) {
        case 'assign': {
          const { seen } = this.state;
          const workers = each.workers.map(({ name, gpu, desire: wanted, share }) => worker(name, { gpus: [gpu], desire: wanted, share }));
          return this.change(assign(this.state, workers, each.newEpoch ? { epoch: seen.epoch + 1, generation: 1 } : {}));
        }
        case 'end': {
          const found = pick(each.at);
          return found?.ranks[0]?.life.kind === 'running' ? this.change(endAll(this.state, found.id, each.exitCode)) : undefined;
        }
        case 'confirm': {
          const found = pick(each.at);
          return found === undefined ? undefined : this.change(onTreeSeen(this.state, found.id, { alive: each.alive, nowMs: this.nowMs }));
        }
        case 'launched': {
          const found = pick(each.at);
          if (found?.ranks[0]?.life.kind !== 'launching') return undefined;
          return this.change(
            onRankFate(this.state, found.id, 0, each.works ? { kind: 'alive', pid: 1 } : { kind: 'failed', message: 'no' }),
          );
        }
        case 'post': {
          const found = pick(each.at);
          return found === undefined
            ? undefined
            : this.change(onProgress(this.state, found.id, 0, { step: each.step, loss: null, tokens: null, stepSeconds: null }));
        }
        case 'wait':
          this.nowMs += each.ms;
          return this.converge();
        case 'restart':
          return this.restart();
      }
    }

    change(next: NodeState): void {
      this.keep(next);
      this.converge();
    }

    keep(next: NodeState): void {
      this.journal.push(...entriesBetween(this.state, next));
      this.state = next;
    }

    /** The runtime knows what became of launches under way: here, all of them came to life. */
    restart(): void {
      const launching = [...this.state.workers.values()].filter(({ ranks }) => ranks[0]?.life.kind === 'launching');
      this.state = restoreState(this.journal);
      for (const { id } of launching) this.keep(onRankFate(this.state, id, 0, { kind: 'alive', pid: 1 }));
      this.converge();
    }

    converge(): void {
      for (let pass = 0; pass < 20; pass++) {
        const actions = converge(this.state, this.nowMs);
        if (actions.length === 0) return;
        const isStart = actions.map(({ kind }) => kind === 'start' || kind === 'admit');
        expect(isStart, 'ends come before starts').toEqual([...isStart].sort());
        for (const action of actions) {
          this.check(action);
          this.keep(applyAction(this.state, action, context));
        }
      }
      throw new Error('no fixed point');
    }

    check(action: Action): void {
      if (action.kind !== 'start') return;
      const key = workerKey(action.id);
      const times = (this.started.get(key) ?? 0) + 1;
      this.started.set(key, times);
      expect(times, `${key} started twice`).toBe(1);
      for (const gpu of [0, 1]) {
        const holders = [...this.state.workers.values()].filter(({ end, gpus }) => end.kind !== 'ended' && gpus.includes(gpu));
        const milli = holders.reduce((sum, { launch }) => sum + (launch.gpuShareMilli ?? 1000), 0);
        expect(milli, `GPU ${gpu} when ${key} starts`).toBeLessThanOrEqual(1000);
      }
    }
  }

  it('nothing starts twice or on held GPUs, ends come first, deciding again changes nothing, the journal tells the state', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const model = new Model();
        for (const each of events) model.happen(each);
        for (let length = 0; length < model.journal.length; length++) {
          for (const { ranks, launch } of restoreState(model.journal.slice(0, length)).workers.values())
            expect(ranks).toHaveLength(launch.processes);
        }
        const restored = restoreState(model.journal);
        expect(restoreState(entriesOf(model.state))).toEqual(restored);
      }),
      { numRuns: cases(500), seed: 1 },
    );
  });

  it('an end stands before every start in one decision', () => {
    let { state } = settle(assign(emptyNodeState, [worker('b', { gpus: [0] }), worker('a', { gpus: [1] })]), 0);
    state = assign(state, [worker('b', { gpus: [0] }), worker('c', { gpus: [2] })]);
    expect(brief(converge(state, 0))).toEqual(['kill a', 'admit c']);
  });
});
