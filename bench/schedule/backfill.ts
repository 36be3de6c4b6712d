import type { Input } from '#core/inputs.ts';
import type { State } from '#core/state/state.ts';
import { emptyState } from '#core/state/emptyState.ts';
import { step } from '#core/step.ts';
import { FakeAgent } from '#test/simulation/fakeAgent.ts';
import { applyJob, applyQueue, policy } from '#test/simulation/fakeCluster.ts';
import { createRandom } from '#sim/random.ts';
import { describeSamples, sample, timed } from './samples.ts';

const sizes = [1_250, 12_500];

/** A full cluster whose jobs say when they end, and a gang of 2,048 GPUs that is promised a time in each pass. */
export function measureBackfill(): void {
  console.log('  one step with one more job, which waits; a gang of 256 x 8 GPUs waits ahead of it and gets its reservation.');
  console.log(`  ${['nodes', 'GPUs'].map((name) => name.padStart(8)).join('')}`);
  for (const nodes of sizes) {
    for (const reservationsPerQueue of [0, 1, 100]) {
      const state = fullCluster(nodes);
      const context = { nowMs: 1_000_000, policy: { ...policy, reservationsPerQueue, reservationsMax: reservationsPerQueue } };
      const wide = { workers: 256, gpusPerWorker: 8, maxRuntimeMs: 3_600_000, preemptible: false };
      const waiting = Array.from({ length: Math.max(1, reservationsPerQueue) }, (_, index) => applyJob(`wide-${index}`, wide));
      step(state, waiting, context);
      let next = 0;
      const samples = sample(30, () => {
        next += 1;
        const input = applyJob(`small-${next}`, { preemptible: false });
        return timed(() => {
          step(state, [input], context);
        });
      });
      const size = [nodes, nodes * 8].map((value) => String(value).padStart(8)).join('');
      console.log(`  ${size}  ${String(reservationsPerQueue).padStart(3)} reservations   ${describeSamples(samples)}`);
    }
  }
}

function fullCluster(nodes: number): State {
  const state = emptyState();
  const run = (inputs: readonly Input[]): unknown =>
    step(state, inputs, { nowMs: 1_000_000, policy: { ...policy, placementsPerStepMax: 20_000 } });
  run([{ kind: 'createCluster', clusterId: 'bench' }, { kind: 'electLeader', version: 'bench' }, applyQueue('default')]);
  run(
    Array.from({ length: nodes }, (_, index): Input => {
      const agent = new FakeAgent({ name: `n${String(index).padStart(5, '0')}`, rack: `r${index >> 4}`, gpus: 8 });
      return { kind: 'hello', hello: agent.hello() };
    }),
  );
  const random = createRandom(5);
  run(
    Array.from({ length: nodes }, (_, index) =>
      applyJob(`busy-${index}`, { gpusPerWorker: 8, maxRuntimeMs: 60_000 * (1 + random.below(5_000)), preemptible: false }),
    ),
  );
  return state;
}
