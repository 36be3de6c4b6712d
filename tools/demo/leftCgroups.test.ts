import { expect, test } from 'vitest';
import { parseCgroups } from './leftCgroups.ts';

test('cgroups of both versions become folders', () => {
  expect(parseCgroups('5:memory:/a/shoal-0ba4c9dc/w1\n1:name=systemd:/\n0::/shoal.slice/shoal-0ba4c9dc/w1\n')).toEqual([
    '/sys/fs/cgroup/memory/a/shoal-0ba4c9dc/w1',
    '/sys/fs/cgroup/systemd/',
    '/sys/fs/cgroup/shoal.slice/shoal-0ba4c9dc/w1',
  ]);
});
