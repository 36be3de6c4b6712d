import { explainWait } from '#core/schedule/explain/explainWait.ts';
import type { State } from '#core/state/state.ts';
import { policy } from '#test/simulation/fakeCluster.ts';
import { buildState, stepAt, waitingJobs } from './busyState.ts';
import { describeSamples, sample, timed } from './samples.ts';

const waiting = 2_000;

/** What `shoal why` costs the controller: one verdict of one of 2,000 waiting jobs, remedies tried. */
export function measureWhy(): void {
  for (const nodes of [1_250, 12_500]) {
    const state = buildState(nodes, { whole: 16, single: 512 });
    const { waits } = stepAt(state, waitingJobs(waiting, { workersMax: 256, gpusMin: 2 }));
    if (waits === null) throw new Error('the pass said nothing');
    let remedies = 0;
    let asked = 0;
    const samples = sample(60, () => {
      asked += 1;
      const uid = state.pending[(asked * 37) % state.pending.length];
      return timed(() => {
        remedies += explain(state, waits, uid);
      });
    });
    console.log(
      `  ${nodes.toLocaleString('en').padStart(6)} nodes, ${state.pending.length} wait: ${describeSamples(samples)}; ${(remedies / asked).toFixed(1)} remedies each`,
    );
  }
}

function explain(state: State, waits: Parameters<typeof explainWait>[1]['waits'], uid: State['pending'][number] | undefined): number {
  const job = uid === undefined ? undefined : state.jobs.get(uid);
  if (job === undefined) throw new Error('nobody waits');
  const verdict = explainWait(state, { waits, atMs: state.atMs }, job, { nowMs: state.atMs, policy });
  return verdict?.remedies.length ?? 0;
}
