import { chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Folders } from '../../ports/folders.ts';

/** @param owner who the programs run as; null: the agent's own user */
export function createLocalFolders(owner: { readonly uid: number; readonly gid: number } | null): Folders {
  return {
    async makeWritable(path) {
      try {
        await mkdir(path, { recursive: true });
        const probe = join(path, `.shoal-probe-${process.pid}-${Math.floor(performance.now() * 1000)}`);
        await writeFile(probe, '');
        await rm(probe, { force: true });
        if (owner !== null) await chown(path, owner.uid, owner.gid);
        return null;
      } catch (error) {
        return `checkpoint folder ${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`;
      }
    },
  };
}
