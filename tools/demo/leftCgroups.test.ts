import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cgroupNameOf } from '#agent/adapters/process/cgroups.ts';
import { clearCgroups } from './leftCgroups.ts';

test('only the cgroups of these agents go, in every tree, with those of their workers', async () => {
  const mount = await mkdtemp(join(tmpdir(), 'shoal-cgroups-'));
  try {
    const [ours, theirs] = [cgroupNameOf('/demo/n1'), cgroupNameOf('/other/n1')];
    for (const path of [`memory/a/${ours}/w1`, `memory/a/${theirs}/w1`, `cpu/a/${ours}/w2`]) {
      await mkdir(join(mount, path), { recursive: true });
    }
    await clearCgroups(['/demo/n1', '/demo/n2'], mount);
    const left = await readdir(mount, { recursive: true });
    expect(left.filter((name) => name.includes('shoal-')).sort()).toEqual([`memory/a/${theirs}`, `memory/a/${theirs}/w1`]);
  } finally {
    await rm(mount, { recursive: true });
  }
});
