import type { LevelRoom } from '#vocabulary/verdict.ts';
import type { ClusterRoom } from '../clusterRoom.ts';
import { withEmptyDomains } from '../gang/exclusive.ts';
import { unitsOf } from '../gang/findPlacement.ts';
import type { GangRequest } from '../gang/gangRequest.ts';

/** The whole cluster's name where levels are counted. */
const wholeCluster = 'cluster';

/** How many domains of each level would hold the gang now, by the counts that placement itself goes by. The room must show what is in the job's reach. */
export function countLevelRooms({ room, levels }: ClusterRoom, request: GangRequest): readonly LevelRoom[] {
  const [group] = request.groups;
  if (group === undefined) return [];
  const units = unitsOf(room, withEmptyDomains(room.capacity, request), group);
  const { levelStart } = room.capacity.topology;
  return [wholeCluster, ...levels].map((level, depth) => {
    const [first, end] = [levelStart[depth] ?? 0, levelStart[depth + 1] ?? 0];
    const size = units.size[depth] ?? 1;
    let host = 0;
    let best = 0;
    for (let domain = first; domain < end; domain += 1) {
      const workers = (units.counts[domain] ?? 0) * size;
      if (workers >= group.workers) host += 1;
      best = Math.max(best, workers);
    }
    return { level, isRequired: depth > 0 && depth === request.requiredDepth, domains: end - first, host, best };
  });
}
