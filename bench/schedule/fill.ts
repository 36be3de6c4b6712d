import { anywhere, type GangRequest } from '#core/schedule/gang/gangRequest.ts';
import type { Hold } from '#core/schedule/capacity/capacity.ts';
import { findPlacement } from '#core/schedule/gang/findPlacement.ts';
import type { Input } from '#core/inputs.ts';
import type { State } from '#core/state/state.ts';
import { emptyState } from '#core/state/emptyState.ts';
import { step } from '#core/step.ts';
import { FakeAgent } from '#test/simulation/fakeAgent.ts';
import { applyJob, applyQueue, policy } from '#test/simulation/fakeCluster.ts';
import { buildRoom, giveBack, partOf, takeSpots } from './cluster.ts';
import { describeRate, printRow, sample, timed } from './samples.ts';

const jobs = 4_000;
const nodes = 500;
const peers = [
  'KAI about 10 jobs/s (500 KWOK nodes, 397.8 s), Slurm 500/s, Nomad 1,500-3,750/s; kube-scheduler 210 pods/s.',
  'Theirs go through an API server or durable state; ours is the core alone (bench/submit.ts: through API and store).',
].join('\n           ');

/** 4,000 jobs of one GPU fill 500 nodes of 8. */
export function measureFill(): void {
  printRow({ what: 'engine only: findPlacement and take', ours: measureEngine(), aim: '>= 100,000 jobs/s', peers });
  for (const batch of [100, 1]) {
    const what = `core step(): admission, placement and events, ${batch} applyJob a step`;
    printRow({ what, ours: measureCore(batch), aim: '>= 100,000 jobs/s', peers: '' });
  }
}

function measureEngine(): string {
  const room = buildRoom(nodes);
  const shape = partOf(1, 1000);
  const request: GangRequest = anywhere([{ workers: 1, shape, segments: [] }]);
  const samples = sample(50, () => {
    const taken: Hold[] = [];
    const took = timed(() => {
      for (let job = 0; job < jobs; job += 1) {
        const spots = findPlacement(room, request);
        if (spots === null) throw new Error(`job ${job} finds no place`);
        taken.push(...takeSpots(room, shape, spots));
      }
    });
    giveBack(room, taken);
    return took;
  });
  return describeRate(jobs, 'jobs', samples);
}

function measureCore(batch: number): string {
  const inputs = Array.from({ length: jobs / batch }, (_, at) =>
    Array.from({ length: batch }, (_each, index) => applyJob(`fill-${at * batch + index}`)),
  );
  const samples = sample(20, () => {
    const state = openState();
    const took = timed(() => {
      for (const each of inputs) stepOnce(state, each);
    });
    const running = [...state.jobs.values()].filter((job) => job.phase.kind !== 'pending').length;
    if (running !== jobs) throw new Error(`${running} of ${jobs} jobs were placed`);
    return took;
  });
  return describeRate(jobs, 'jobs', samples);
}

const stepOnce = (state: State, inputs: readonly Input[]): unknown => step(state, inputs, { nowMs: 1_000_000, policy });

/** Nodes of 8 GPUs, 16 a rack, that came by hello as real ones do. */
function openState(): State {
  const state = emptyState();
  stepOnce(state, [{ kind: 'createCluster', clusterId: 'bench' }, { kind: 'electLeader', version: 'bench' }, applyQueue('default')]);
  const hellos = Array.from({ length: nodes }, (_, index): Input => {
    const agent = new FakeAgent({ name: `n${String(index).padStart(4, '0')}`, rack: `r${index >> 4}`, gpus: 8 });
    return { kind: 'hello', hello: agent.hello() };
  });
  stepOnce(state, hellos);
  return state;
}
