import { expect, test } from 'vitest';
import { HeldGpus } from './heldGpus.ts';

const slot = (uuid: string, profile = '3g.40gb') => ({ gpus: [0], launch: { gpuShareMilli: null, gpuSlot: { profile, uuid } } });

test('slots of one GPU are held side by side, each by one worker, and beside them nobody has the whole', () => {
  const held = new HeldGpus();
  held.take(slot('MIG-a'));
  expect(held.hasRoomFor(slot('MIG-a'))).toBe(false);
  expect(held.hasRoomFor(slot('MIG-b'))).toBe(true);
  expect(held.hasRoomFor({ gpus: [0], launch: { gpuShareMilli: null } })).toBe(false);
  held.take(slot('MIG-b'));
  expect(held.hasRoomFor(slot('MIG-c'))).toBe(false);
  expect(held.hasRoomFor(slot('MIG-c', '1g.10gb'))).toBe(true);
});
