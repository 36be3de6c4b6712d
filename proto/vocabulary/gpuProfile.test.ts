import fc from 'fast-check';
import { expect, test } from 'vitest';
import { deviceModel, findDivisionProblem, gpuOfSlot, isGpuProfile, isSlotModel, profileMilli } from './gpuProfile.ts';

test.each([
  ['1g.10gb', true, 142],
  ['2g.20gb', true, 285],
  ['3g.40gb', true, 428],
  ['4g.40gb', true, 571],
  ['7g.80gb', true, 1000],
  ['1g.10gb+me', true, 142],
  ['1g.24gb+me.all', true, 142],
  ['8g.80gb', false, 1],
  ['1g', false, 1],
  ['1G.10GB', false, 1],
])('%s is a profile: %s, worth %s thousandths', (text, is, milli) => {
  expect([isGpuProfile(text), profileMilli(text)]).toEqual([is, milli]);
});

test('slots that a GPU can be divided into are never worth more than the GPU', () => {
  const anyProfile = fc.record({ slices: fc.integer({ min: 1, max: 7 }), memory: fc.integer({ min: 1, max: 180 }) });
  fc.assert(
    fc.property(fc.array(anyProfile, { maxLength: 8 }), (parts) => {
      const profiles = parts.map(({ slices, memory }) => `${slices}g.${memory}gb`);
      const slices = parts.reduce((sum, part) => sum + part.slices, 0);
      expect(findDivisionProblem(profiles)).toBe(slices > 7 ? `${slices} compute slices; allowed: at most 7 a GPU` : null);
      if (slices <= 7) expect(profiles.reduce((sum, profile) => sum + profileMilli(profile), 0)).toBeLessThanOrEqual(1000);
    }),
  );
});

test('a slot is a device of a model of its own, which tells the GPU', () => {
  expect([deviceModel('H100', null), deviceModel('H100', '1g.10gb')]).toEqual(['H100', 'H100 MIG 1g.10gb']);
  expect(['H100', 'H100 MIG 1g.10gb'].map(isSlotModel)).toEqual([false, true]);
  expect(['H100', 'H100 MIG 1g.10gb'].map((device) => gpuOfSlot(device, '1g.10gb'))).toEqual([null, 'H100']);
  expect(gpuOfSlot('H100 MIG 1g.10gb', '1g.20gb')).toBe(null);
});
