import { applyJob } from '#test/simulation/fakeCluster.ts';
import type { State } from '#core/state/state.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import { jobUid } from '#vocabulary/ids.ts';
import { buildState, endJob, limitTeams, stepAt, waitingJobs } from './busyState.ts';
import { buildRoom, partOf } from './cluster.ts';
import { decideMany, fillMost } from './decide.ts';
import { exponentOf } from './exponent.ts';
import type { Samples } from './samples.ts';
import { describeSamples, sample, timed } from './samples.ts';

const sizes = [1_250, 2_500, 5_000, 12_500];
const waiting = 2_000;
const barWidth = 20;

/** What is measured on clusters of each size, through `step`. */
interface Row {
  readonly what: string;
  readonly aim: string;
  /** Of one sample. */
  readonly decisions: number;
  readonly measure: (nodes: number) => Samples;
}

const rows: readonly Row[] = [
  {
    what: 'the decision alone: one worker that wants CPU and memory too',
    aim: 'p99 < 0.2 ms',
    decisions: 1,
    measure: measureAlone,
  },
  { what: 'one worker arrives and is placed, and nobody else waits', aim: 'p99 < 0.2 ms', decisions: 1, measure: measureQuiet },
  {
    what: 'one worker arrives and is placed, in a pass over 2,000 others that do not fit',
    aim: '< 100 ms',
    decisions: 1,
    measure: measureWorker,
  },
  {
    what: '256 workers x 8 GPUs arrive and are placed, in a pass over 2,000 others at their limits',
    aim: '< 100 ms',
    decisions: 1,
    measure: measureGang,
  },
  { what: 'full pass: a GPU came free, and none of 2,000 fits', aim: '< 100 ms', decisions: waiting, measure: measureVainPass },
  { what: 'full pass: 2,000 arrive and are placed', aim: '< 100 ms', decisions: waiting, measure: measureBusyPass },
];

/** Growth by nodes, through the whole of `step`. */
export function measureGrowth(): void {
  console.log(
    '  through step(): admission, fair order of 16 queues with 40 users, placement, events; racks of 16 nodes x 8 GPUs, nearly all full',
  );
  for (const { what, aim, decisions, measure } of rows) {
    console.log(`  ${what}   (aim: ${aim})`);
    const measured = sizes.map((nodes) => ({ nodes, samples: measure(nodes) }));
    // By CPU time where it can be told: others may use the cores.
    const times = measured.map(({ nodes, samples }) => ({ x: nodes, y: (samples.cpuMs ?? samples.p50Ms) / decisions }));
    const longest = Math.max(...times.map(({ y }) => y));
    for (const [at, { nodes, samples }] of measured.entries()) {
      const ms = times[at]?.y ?? 0;
      const bar = '#'.repeat(Math.max(1, Math.round((barWidth * ms) / longest)));
      const decision = `${(ms * 1000).toFixed(1).padStart(8)} us a decision`;
      console.log(`    ${nodes.toLocaleString('en').padStart(6)} nodes ${bar.padEnd(barWidth)} ${decision}   ${describeSamples(samples)}`);
    }
    const exponent = exponentOf(times);
    console.log(`    a decision takes time ~ nodes^${exponent.toFixed(2)}: ${exponent < 1 ? 'sub-linear' : 'NOT sub-linear'}`);
  }
}

function measureAlone(nodes: number): Samples {
  const room = buildRoom(nodes);
  fillMost(room);
  const shape = { ...partOf(1, 1000), cpuMilli: 4_000, memoryBytes: 16 * 2 ** 30 };
  return decideMany(room, { workers: 1, shape, count: 20_000 }).samples;
}

/** 512 nodes have one GPU free. */
function measureQuiet(nodes: number): Samples {
  const visits = openVisits(buildState(nodes, { whole: 0, single: 512 }), { workers: 1, gpusPerWorker: 1 });
  return sample(2_000, () => {
    const took = timed(visits.arrive);
    visits.leave();
    visits.pass();
    return took;
  });
}

/** The same, and all who wait want two GPUs or more on a node. */
function measureWorker(nodes: number): Samples {
  const visits = openVisits(stateWithWaiting(nodes, { whole: 0, single: 512 }), { workers: 1, gpusPerWorker: 1 });
  return sample(100, () => {
    const took = timed(visits.arrive);
    visits.leave();
    visits.pass();
    return took;
  });
}

/** The same, and the pass after its end. */
function measureVainPass(nodes: number): Samples {
  const visits = openVisits(stateWithWaiting(nodes, { whole: 0, single: 512 }), { workers: 1, gpusPerWorker: 1 });
  return sample(50, () => {
    visits.arrive();
    visits.leave();
    return timed(visits.pass);
  });
}

/** 300 nodes are empty, and all who wait are in queues that may hold nothing. */
function measureGang(nodes: number): Samples {
  const state = buildState(nodes, { whole: 300, single: 0 });
  stepAt(state, limitTeams(0));
  stepAt(state, waitingJobs(waiting, { workersMax: 256, gpusMin: 2 }));
  const visits = openVisits(state, { workers: 256, gpusPerWorker: 8 });
  return sample(50, () => {
    const took = timed(visits.arrive);
    visits.leave();
    visits.pass();
    return took;
  });
}

/** 10,000 GPUs are free, together on whole nodes. */
function measureBusyPass(nodes: number): Samples {
  const state = buildState(nodes, { whole: 1_250, single: 0 });
  const inputs = waitingJobs(waiting, { workersMax: 2, gpusMin: 1 });
  return sample(10, () => {
    const took = timed(() => stepAt(state, inputs));
    if (state.pending.length > 0) throw new Error(`${state.pending.length} of ${waiting} were not placed`);
    for (const { uid } of inputs) endJob(state, uid);
    stepAt(state, []);
    return took;
  });
}

function stateWithWaiting(nodes: number, free: Parameters<typeof buildState>[1]): State {
  const state = buildState(nodes, free);
  stepAt(state, waitingJobs(waiting, { workersMax: 256, gpusMin: 2 }));
  if (state.pending.length !== waiting) throw new Error(`${state.pending.length} jobs wait, and not ${waiting}`);
  return state;
}

interface Visits {
  /** A job comes and is placed. */
  readonly arrive: () => void;
  /** It is over. */
  readonly leave: () => void;
  /** Looks at all who wait. */
  readonly pass: () => void;
}

function openVisits(state: State, spec: Partial<JobSpec>): Visits {
  let count = 0;
  const before = state.pending.length;
  return {
    arrive: () => {
      count += 1;
      stepAt(state, [applyJob(`visits-${count}`, spec, 'visitor')]);
      if (state.pending.length !== before) throw new Error(`visitor ${count} was not placed, or others were`);
    },
    leave: () => endJob(state, jobUid(`uid-visits-${count}`)),
    pass: () => stepAt(state, []),
  };
}
