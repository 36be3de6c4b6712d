import { expect, test } from 'vitest';
import { jobUid, nodeName } from '#vocabulary/ids.ts';
import { Capacity } from '../capacity/capacity.ts';
import { Room } from '../capacity/room.ts';
import { wholeGpus } from '../capacity/shape.ts';
import { anywhere } from '../gang/gangRequest.ts';
import type { Evictable } from './chooseVictims.ts';
import { chooseVictims } from './chooseVictims.ts';

test('who leaves for one group of a gang is not asked again for the next', () => {
  const gpus = Array.from({ length: 4 }, (_, index) => ({ index, model: 'H100', nvlinkDomain: 0, healthy: true }));
  const node = { name: nodeName('n0'), path: [], open: true, cpuMilli: null, memoryBytes: null, labels: {}, gpus };
  const room = new Room(Capacity.of([node], 1));
  const running = gpus.map(({ index }): Evictable => {
    const job = jobUid(`j${index}`);
    const hold = { owner: job, node: 0, gpus: [index], gpuMilli: 1000, cpuMilli: 0, memoryBytes: 0 };
    room.capacity.take(hold);
    return { job, holds: [hold], cost: 1_000 * (index + 1), priority: 0 };
  });
  const groups = [1, 2].map((size) => ({ workers: 1, shape: wholeGpus('H100', size), segments: [] }));
  const plan = chooseVictims(room, anywhere(groups), running, { give: () => true, takeBack: () => undefined });
  expect(plan?.victims).toEqual(['j0', 'j1', 'j2']);
});
