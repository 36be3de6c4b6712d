import type { Event } from '#core/events.ts';
import { readLedger } from '#core/ledger/readLedger.ts';
import { apply } from '#core/state/apply.ts';
import { emptyState } from '#core/state/emptyState.ts';
import type { JobSpec, Placement } from '#vocabulary/job.ts';
import { unaskedSpec } from '#vocabulary/job.ts';
import { jobName, jobUid, nodeName, queueName, userName } from '#vocabulary/ids.ts';

/**
 * What the ledger costs the fold: a cluster of 100,000 GPUs on 12,500 nodes, and 1,000 gangs of 256 whole nodes, each
 * placed, started, saved ten times and ended, at a new millisecond each. `node bench/ledger.ts`
 */
const nodes = 12_500;
const gangs = 1_000;
const gangNodes = 256;
const checkpoints = 10;

const spec: JobSpec = {
  queue: queueName('default'),
  priority: 20,
  preemptible: true,
  gpuModels: [],
  workers: gangNodes,
  gpusPerWorker: 8,
  ...unaskedSpec,
  processesPerWorker: 'worker',
  mesh: [],
  constraints: [],
  checkpoint: null,
  restarts: { max: 0, withinMs: null },
  maxRuntimeMs: null,
  template: { command: ['train'], env: {}, workingDirectory: '', cpuMilli: null, memoryBytes: null },
  unserved: {},
};

const state = emptyState();
let atMs = 1_000_000;
const timesMs = new Map<string, { count: number; totalMs: number }>();

function happen(event: Event): void {
  atMs += 1;
  const startedMs = performance.now();
  apply(state, { ...event, atMs }, 1_000);
  timed(event.kind, performance.now() - startedMs);
}

function timed(what: string, elapsedMs: number): void {
  const time = timesMs.get(what) ?? { count: 0, totalMs: 0 };
  timesMs.set(what, { count: time.count + 1, totalMs: time.totalMs + elapsedMs });
}

const nameOf = (index: number) => nodeName(`n${String(index).padStart(5, '0')}`);

for (let index = 0; index < nodes; index += 1) {
  const gpus = Array.from({ length: 8 }, (_, gpu) => ({
    index: gpu,
    uuid: `GPU-${index}-${gpu}`,
    model: 'H100',
    memoryBytes: 80 * 2 ** 30,
    pciBusId: `0000:${gpu}`,
    numaNode: 0,
    nvlinkDomain: 0,
  }));
  const path = ['z1', `b${index >> 9}`, `r${index >> 4}`];
  const node = nameOf(index);
  const inventory = { address: node, bootId: 'b', agentVersion: 'bench', path, cpuMilli: 64_000, memoryBytes: 2 ** 38, os: 'linux', gpus };
  happen({ kind: 'NodeRegistered', node, labels: {}, inventory });
  happen({ kind: 'NodeReady', node });
}

const placementOf = (gang: number): Placement =>
  Array.from({ length: gangNodes }, (_, worker) => ({
    node: nameOf((gang * gangNodes + worker) % (nodes - (nodes % gangNodes))),
    gpus: [0, 1, 2, 3, 4, 5, 6, 7],
  }));

for (let gang = 0; gang < gangs; gang += 1) {
  const uid = jobUid(`uid-${gang}`);
  const of = { uid, attempt: 1 };
  happen({ kind: 'JobCreated', uid, name: jobName(`j${gang}`), user: userName('alice'), labels: {}, annotations: {}, spec });
  const coordinator = { address: '10.0.0.1', port: 20_000 + (gang % 10_000) };
  happen({ kind: 'AttemptPlaced', ...of, placement: placementOf(gang), model: 'H100', coordinator, resume: null });
  happen({ kind: 'AttemptStarted', ...of });
  const progress = { step: 1, loss: null, tokens: null, stepSeconds: null, steps: { 0: 1 } };
  happen({ kind: 'ProgressRecorded', ...of, worker: 0, progress });
  for (let save = 1; save <= checkpoints; save += 1) happen({ kind: 'CheckpointCompleted', ...of, step: save, path: '/c' });
  happen({
    kind: 'AttemptEnded',
    ...of,
    reasons: ['Succeeded'],
    message: '',
    charged: false,
    next: { kind: 'finished', outcome: 'Succeeded' },
  });
}
const startedMs = performance.now();
readLedger(state, atMs + 1);
timed('read the whole ledger', performance.now() - startedMs);

for (const [what, { count, totalMs }] of timesMs)
  process.stdout.write(`${what.padEnd(22)} ${String(count).padStart(6)} x ${((totalMs / count) * 1000).toFixed(1).padStart(9)} us\n`);
