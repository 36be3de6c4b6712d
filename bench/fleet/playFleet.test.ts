import { expect, test } from 'vitest';
import { playFleet } from './playFleet.ts';
import { aimsOf } from './printFleet.ts';

test('a small fleet', async () => {
  const t = performance.now();
  const run = await playFleet({ nodes: 64, days: 1, load: Number(process.env.LOAD ?? 1.6) });
  console.log(
    performance.now() - t,
    aimsOf(run),
    run.ends,
    run.jobs,
    run.passes,
    run.allocation,
    run.waits.guaranteed.slice(0, 5),
    run.waits.starts.filter((w) => w.queue === 'serving' && w.ms > 0),
  );
});
