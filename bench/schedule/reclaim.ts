import { anywhere } from '#core/schedule/gang/gangRequest.ts';
import type { Evictable } from '#core/schedule/victims/chooseVictims.ts';
import { chooseVictims } from '#core/schedule/victims/chooseVictims.ts';
import type { Room } from '#core/schedule/capacity/room.ts';
import { buildRoom, fillWithJobs, partOf } from './cluster.ts';
import type { Samples } from './samples.ts';
import { describeSamples, printRow, sample, timed } from './samples.ts';

/** Room for 250 workers x 8 GPUs from 4,000 jobs of one GPU on 500 nodes. */
export function measureReclaim(): void {
  const room = buildRoom(500);
  const samples = measureChoice(room, fillWithJobs(room, 1), { workers: 250, wantVictims: 2_000, count: 100 });
  const peers =
    'KAI 102 s for a 250-pod / 2,000-GPU job (500 KWOK nodes, API server included, until it runs); ours is the choice of victims alone';
  printRow({
    what: 'victims for 250 workers x 8 GPUs, 2,000 of 4,000 one-GPU jobs',
    ours: describeSamples(samples),
    aim: 'max < 200 ms',
    peers,
  });
}

/** 700 of 4,000 jobs of 4 GPUs leave for 350 workers x 8 GPUs on 2,000 nodes. */
export function measureVictims(): void {
  const room = buildRoom(2_000);
  const samples = measureChoice(room, fillWithJobs(room, 4), { workers: 350, wantVictims: 700, count: 400 });
  const peers = 'Kueue issue 13148: scheduling cycles of about 40 s with 2,000 nodes and 700 workloads to preempt (a live cluster)';
  printRow({
    what: '700 victims of 4,000 jobs of 4 GPUs, for 350 workers x 8 GPUs',
    ours: describeSamples(samples),
    aim: 'p99 < 100 ms',
    peers,
  });
}

/** Fails when the plan has another number of victims than the fewest that can do. */
function measureChoice(
  room: Room,
  evictable: readonly Evictable[],
  { workers, wantVictims, count }: { readonly workers: number; readonly wantVictims: number; readonly count: number },
): Samples {
  const request = anywhere([{ workers, shape: partOf(8, 1000), segments: [] }]);
  return sample(count, () => {
    let victims = 0;
    const took = timed(() => {
      victims = chooseVictims(room, request, evictable, { give: () => true, takeBack: () => undefined })?.victims.length ?? 0;
    });
    if (victims !== wantVictims) throw new Error(`${victims} victims, ${wantVictims} are the fewest`);
    return took;
  });
}
