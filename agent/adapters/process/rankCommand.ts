import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultPath } from './checkLaunch.ts';
import type { RankUser } from './launchRank.ts';

/**
 * What the launcher runs: the user's command, behind `setpriv` where ranks have a user of their own (the launcher stays
 * root, so that a rank cannot touch its own control files), and behind `env` for variables that a shell would drop
 * because their names are none of its own (`my.option`).
 */
export function compileRankCommand(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  becomeUser: readonly string[],
): readonly string[] {
  const odd = Object.entries(env).filter(([name]) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
  const withEnv = odd.length === 0 ? [] : ['/usr/bin/env', ...odd.map(([name, value]) => `${name}=${value}`)];
  return [...becomeUser, ...withEnv, ...command];
}

/** The command that becomes the user; throws when this machine has none. */
export async function compileBecomeUser(user: RankUser | null): Promise<readonly string[]> {
  if (user === null) return [];
  for (const folder of [...defaultPath.split(':'), '/usr/sbin', '/sbin']) {
    const setpriv = join(folder, 'setpriv');
    const isThere = await access(setpriv, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return [setpriv, `--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups', '--'];
  }
  throw new Error(`ranks cannot run as user ${user.uid}: setpriv (package util-linux) is not installed`);
}
