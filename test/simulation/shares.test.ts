import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cases } from '#test/cases.ts';
import { parseSnapshot } from '#controller/loop/logLine.ts';
import type { Event } from '#core/events.ts';
import { findBrokenPromises } from '#core/invariants.ts';
import type { Amounts, LedgerCategory } from '#core/ledger/amounts.ts';
import { noAmounts, totalKinds } from '#core/ledger/amounts.ts';
import { readLedger, readTotals } from '#core/ledger/readLedger.ts';
import { freeMilli, holdersOf } from '#core/nodes/holds.ts';
import { apply } from '#core/state/apply.ts';
import { printSnapshot, restoreSnapshot } from '#core/state/snapshot.ts';
import { emptyState } from '#core/state/emptyState.ts';
import { currentAttempt } from '#core/state/state.ts';
import type { JobView, NodeView } from '#core/state/view.ts';
import { jobUid, nodeName, userName } from '#vocabulary/ids.ts';
import { milliPerGpu } from '#vocabulary/job.ts';
import { FakeAgent } from './fakeAgent.ts';
import { applyJob, policy } from './fakeCluster.ts';

const nodes = ['n1', 'n2'].map(nodeName);
const names = ['a', 'b', 'c', 'd', 'e'];

/** The ledger as it could be written down without a thought for its cost: GPU by GPU, before every event. */
class PlainLedger {
  readonly amounts = noAmounts();
  readonly #unsaved = new Map<string, bigint>();

  pass(world: World, elapsedMs: number): void {
    for (const node of world.state.nodes.values())
      for (let gpu = 0; gpu < node.holds.length; gpu += 1) this.#passGpu(world, node, gpu, BigInt(elapsedMs));
  }

  #passGpu(world: World, node: NodeView, gpu: number, ms: bigint): void {
    const out = node.availability.kind !== 'ready' || node.health[gpu]?.healthy === false;
    if (out) {
      this.amounts.unhealthy += ms * 1000n;
      return;
    }
    for (const { job, milli } of holdersOf(node, gpu)) {
      const category = world.stageOf(job);
      this.amounts[category] += ms * BigInt(milli);
      if (category === 'productive') this.#unsaved.set(job, (this.#unsaved.get(job) ?? 0n) + ms * BigInt(milli));
    }
    this.amounts[node.cordon === null ? 'idle' : 'cordoned'] += ms * BigInt(freeMilli(node, gpu));
  }

  move(job: string, category: LedgerCategory): void {
    const unsaved = this.#unsaved.get(job) ?? 0n;
    this.amounts.productive -= unsaved;
    this.amounts[category] += unsaved;
    this.#unsaved.delete(job);
  }
}

/** A state that only its own events move. */
class World {
  readonly state = emptyState();
  readonly plain = new PlainLedger();
  #atMs = 1_000_000;

  constructor() {
    for (const name of nodes) {
      const { inventory, labels } = new FakeAgent({ name, rack: 'r1', gpus: 2 }).hello();
      this.happen({ kind: 'NodeRegistered', node: name, inventory, labels });
      this.happen({ kind: 'NodeReady', node: name });
    }
  }

  pass(elapsedMs: number): void {
    this.plain.pass(this, elapsedMs);
    this.#atMs += elapsedMs;
  }

  get nowMs(): number {
    return this.#atMs;
  }

  happen(event: Event): void {
    apply(this.state, { ...event, atMs: this.#atMs }, 100);
    expect(findBrokenPromises(this.state, policy)).toEqual([]);
  }

  stageOf(uid: string): 'starting' | 'productive' | 'stalled' {
    const stage = currentAttempt(this.job(uid.slice(4)) ?? { phase: { kind: 'active' }, attempts: [] })?.stage.kind;
    return stage === 'starting' ? 'starting' : stage === 'running' ? 'productive' : 'stalled';
  }

  job(name: string): JobView | undefined {
    return this.state.jobs.get(jobUid(`uid-${name}`));
  }
}

const deeds = fc.record({
  deed: fc.constantFrom(
    'create',
    'place',
    'start',
    'progress',
    'save',
    'stop',
    'end',
    'remove',
    'label',
    'cordon',
    'health',
    'lose',
    'ready',
  ),
  name: fc.constantFrom(...names),
  node: fc.constantFrom(...nodes),
  gpu: fc.nat(1),
  share: fc.constantFrom(null, 1, 250, 300, 700, 999),
  workers: fc.integer({ min: 1, max: 3 }),
  flag: fc.boolean(),
  elapsedMs: fc.nat(100_000),
});
type Deed = typeof deeds extends fc.Arbitrary<infer T> ? T : never;

function act(world: World, { deed, name, node, gpu, share, workers, flag }: Deed): void {
  const job = world.job(name);
  const attempt = job === undefined ? undefined : currentAttempt(job);
  const uid = jobUid(`uid-${name}`);
  const of = { uid, attempt: attempt?.number ?? 0 };
  switch (deed) {
    case 'create': {
      if (job !== undefined) return;
      const { kind: _kind, ...wanted } = applyJob(
        name,
        { gpuShareMilli: share, workers: share === null ? 1 : workers },
        flag ? 'alice' : 'bob',
      );
      return world.happen({ kind: 'JobCreated', ...wanted, labels: flag ? { project: name } : {} });
    }
    case 'place': {
      if (job?.phase.kind !== 'pending' || (world.state.nodes.get(node)?.holds[gpu] ?? []).length > 3) return;
      const found = world.state.nodes.get(node);
      if (found === undefined || freeMilli(found, gpu) < milliPerGpu(job.spec) * job.spec.workers) return;
      const placement = Array.from({ length: job.spec.workers }, () => ({ node, gpus: [gpu] }));
      const coordinator = { address: '10.0.0.1', port: 20_000 + names.indexOf(name) };
      return world.happen({
        kind: 'AttemptPlaced',
        uid,
        attempt: job.attempts.length + 1,
        placement,
        model: 'H100',
        coordinator,
        resume: null,
      });
    }
    case 'start':
      return attempt?.stage.kind === 'starting' ? world.happen({ kind: 'AttemptStarted', ...of }) : undefined;
    case 'progress': {
      if (attempt === undefined) return;
      if (job?.progress?.attempt !== attempt.number) world.plain.move(uid, 'starting');
      const progress = { step: 1, loss: null, tokens: null, stepSeconds: null, steps: { 0: 1 } };
      return world.happen({ kind: 'ProgressRecorded', ...of, worker: 0, progress });
    }
    case 'save':
      if (attempt === undefined) return;
      world.plain.move(uid, 'productive');
      return world.happen({ kind: 'CheckpointCompleted', ...of, step: 1, path: '/c' });
    case 'stop':
      if (attempt === undefined || attempt.stage.kind === 'stopping') return;
      return world.happen({ kind: 'AttemptStopping', ...of, cause: { reason: 'Deleted', message: '' }, graceMs: 0 });
    case 'end':
      if (attempt === undefined) return;
      world.plain.move(uid, flag ? 'productive' : 'recomputed');
      return world.happen({
        kind: 'AttemptEnded',
        ...of,
        reasons: [flag ? 'Succeeded' : 'NodeFailure'],
        message: '',
        charged: false,
        next: flag ? { kind: 'finished', outcome: 'Succeeded' } : { kind: 'pending' },
      });
    case 'remove':
      if (job === undefined || attempt !== undefined) return;
      return world.happen({ kind: 'JobRemoved', uid, name: job.name });
    case 'label':
      if (job === undefined) return;
      return world.happen({ kind: 'JobChanged', uid, labels: { project: `p${gpu}` }, annotations: {}, spec: job.spec });
    case 'cordon':
      return world.happen(
        flag
          ? { kind: 'NodeCordoned', node, by: userName('bob'), reason: '', drain: false }
          : { kind: 'NodeUncordoned', node, by: userName('bob') },
      );
    case 'health':
      return world.happen({ kind: 'GpuHealthChanged', node, gpu, healthy: flag, code: '', message: '' });
    case 'lose':
      return world.happen({ kind: 'NodeLost', node, message: '' });
    case 'ready':
      return world.happen({ kind: 'NodeReady', node });
  }
}

test('counting by rates comes to the same as counting GPU by GPU, for shares too, and outlives jobs and snapshots', () => {
  fc.assert(
    fc.property(fc.array(deeds, { maxLength: 80 }), (story) => {
      const world = new World();
      for (const deed of story) {
        world.pass(deed.elapsedMs);
        act(world, deed);
      }
      world.pass(777);
      const { amounts } = readLedger(world.state, world.nowMs);
      expect(amounts).toEqual<Amounts>(world.plain.amounts);
      const body = printSnapshot(world.state);
      const restored = restoreSnapshot(parseSnapshot(body));
      expect(findBrokenPromises(restored, policy)).toEqual([]);
      expect(printSnapshot(restored)).toBe(body);
      expect(restored.nodes).toEqual(world.state.nodes);
      expect(restored.ledger).toEqual(world.state.ledger);
      for (const kind of totalKinds) expect(readTotals(restored, kind, world.nowMs)).toEqual(readTotals(world.state, kind, world.nowMs));
    }),
    { numRuns: cases(300), seed: 1 },
  );
});
