import type { ProcessIdentity } from '#agent/ports/runtime.ts';
import type { ProcessEntry, ProcessTable } from './processTable.ts';

/** In the environment of every rank, and so of every process it starts: finds those that left group and parent. */
export const workerKeyVariable = 'SHOAL_WORKER_KEY';

/**
 * The processes of a worker without a cgroup: those that bear its mark, those in a group or session that a living
 * launcher leads, and the descendants of both. A process that empties its environment, starts a session and loses its
 * parent is not found; that is what cgroups are for.
 */
export async function findWorkerTree(table: ProcessTable, launchers: readonly ProcessIdentity[], key: string): Promise<readonly number[]> {
  const all = (await table.list()).filter((entry) => entry.pid !== process.pid);
  const groups = groupsOf(table, launchers, all);
  const members = new Set<number>();
  for (const entry of all) {
    if (groups.has(entry.group) || groups.has(entry.session) || (await table.bears(entry.pid, `${workerKeyVariable}=${key}`)))
      members.add(entry.pid);
  }
  addDescendants(members, all);
  return all
    .filter((entry) => !entry.zombie && members.has(entry.pid))
    .map((entry) => entry.pid)
    .sort((a, b) => a - b);
}

/**
 * Groups that are certainly this worker's. When the launcher is gone its number may lead a stranger's group by now, so
 * the mark decides; where marks cannot be seen, a group whose leader's number nobody bears is taken for ours.
 */
function groupsOf(table: ProcessTable, launchers: readonly ProcessIdentity[], all: readonly ProcessEntry[]): ReadonlySet<number> {
  const byPid = new Map(all.map((entry) => [entry.pid, entry]));
  const groups = new Set<number>();
  for (const launcher of launchers) {
    if (launcher.bootId !== table.bootId) continue;
    const entry = byPid.get(launcher.pid);
    const isOurs = entry === undefined ? !table.seesEnvironment : entry.startTime === launcher.startTime;
    if (isOurs) groups.add(launcher.pid);
  }
  return groups;
}

function addDescendants(members: Set<number>, all: readonly ProcessEntry[]): void {
  for (let grew = true; grew; ) {
    grew = false;
    for (const entry of all) {
      if (members.has(entry.pid) || !members.has(entry.parent)) continue;
      members.add(entry.pid);
      grew = true;
    }
  }
}
