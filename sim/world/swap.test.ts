import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { playText } from '../testing/playText.ts';

test('256 nodes lose one: one worker goes to the spare of its rack, 255 keep node, GPUs and rank, and nobody is charged', () => {
  const file = join(import.meta.dirname, '../../examples/scenarios/one-node-of-256.yaml');
  const report = playText(readFileSync(file, 'utf8'));
  const gang = report.workloads['job/v3-pretrain'];
  const places = (gang?.attempts ?? []).map((attempt) =>
    attempt.placement.map(({ worker, node, gpus }) => `${worker} ${node} ${gpus.join()}`),
  );
  const moved = places.slice(1).map((after, at) => after.filter((place, worker) => place !== places[at]?.[worker]));
  expect(places.map(({ length }) => length)).toEqual([256, 256, 256]);
  expect(moved).toEqual([['0 h800-0016 0,1,2,3,4,5,6,7'], ['81 h800-0025 0,1,2,3,4,5,6,7', '82 h800-0026 0,1,2,3,4,5,6,7']]);
  expect(gang?.restarts).toEqual({ application: 0, infrastructure: 2, preemption: 0 });
  expect(gang?.attempts.some(({ chargedToUser }) => chargedToUser)).toBe(false);
  const told = report.events.filter(({ object, reason, at }) => object.startsWith('node/') && reason.startsWith('Spare') && at > 0);
  expect(told.map(({ object, reason }) => `${object} ${reason}`)).toEqual(['node/h800-0016 SpareReleased', 'node/h800-0015 Spare']);
});
