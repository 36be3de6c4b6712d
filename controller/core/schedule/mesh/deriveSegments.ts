import type { Topology } from '../capacity/topology.ts';
import type { WorkerGroup } from '../gang/gangRequest.ts';

type Segments = WorkerGroup['segments'];

/**
 * Segments that a mesh would like: at each level the largest block, or equal part or multiple of one (blocks.ts), of which the level's domains together hold enough, heavy
 * axes in the innermost ones. They are wishes: each answer is tried, and the gang is placed without any when none fits.
 * Best guess first; later ones ask for smaller blocks, and for fewer levels. The user's own segments are in all of them.
 */
export function deriveSegments(
  topology: Topology,
  gang: Pick<WorkerGroup, 'workers' | 'segments'>,
  sizes: readonly number[],
  room: { readonly counts: Int32Array; readonly fromDepth: number },
): readonly Segments[] {
  const sizesAt = new Map<number, readonly number[]>();
  for (let depth = Math.max(1, room.fromDepth); depth <= topology.depth; depth += 1) {
    if (gang.segments.some((segment) => segment.depth === depth)) continue;
    const most = mostIn(topology, room.counts, depth);
    const fitting = sizes.filter((size) => size <= most && holds(topology, room.counts, depth, size) >= gang.workers);
    if (fitting.length > 0) sizesAt.set(depth, fitting.toReversed());
  }
  const wishes: Segments[] = [];
  const add = (depths: readonly number[], skip: number): void => {
    const segments = nest(gang.segments, sizesAt, depths, skip);
    if (segments.length > gang.segments.length && !wishes.some((wish) => isSame(wish, segments))) wishes.push(segments);
  };
  const depths = [...sizesAt.keys()].sort((left, right) => right - left);
  const most = Math.max(0, ...[...sizesAt.values()].map((sizes) => sizes.length));
  for (let skip = 0; skip < most; skip += 1) {
    // Innermost levels carry the heavy axes: the outermost wish is given up first.
    for (let kept = depths.length; kept > 0; kept -= 1) add(depths.slice(0, kept), skip);
    for (const depth of depths) add([depth], skip);
  }
  return wishes;
}

function mostIn({ levelStart }: Topology, counts: Int32Array, depth: number): number {
  let most = 0;
  for (let domain = levelStart[depth] ?? 0; domain < (levelStart[depth + 1] ?? 0); domain += 1) most = Math.max(most, counts[domain] ?? 0);
  return most;
}

/** Workers in whole blocks that domains of the depth hold. */
function holds(topology: Topology, counts: Int32Array, depth: number, size: number): number {
  let workers = 0;
  for (let domain = topology.levelStart[depth] ?? 0; domain < (topology.levelStart[depth + 1] ?? 0); domain += 1)
    workers += Math.floor((counts[domain] ?? 0) / size) * size;
  return workers;
}

/** At each of the depths, innermost first, the largest size (but `skip` of them) that nests with those around and inside. */
function nest(own: Segments, sizesAt: ReadonlyMap<number, readonly number[]>, depths: readonly number[], skip: number): Segments {
  let segments = [...own];
  for (const depth of depths) {
    const size = (sizesAt.get(depth) ?? [])
      .slice(skip)
      .find((each) => segments.every((segment) => nests(segment, { depth, workers: each })));
    if (size !== undefined) segments = [...segments, { depth, workers: size }];
  }
  return segments.sort((left, right) => left.depth - right.depth);
}

function nests(one: Segments[number], other: Segments[number]): boolean {
  const [outer, inner] = one.depth < other.depth ? [one, other] : [other, one];
  return outer.workers % inner.workers === 0;
}

const isSame = (left: Segments, right: Segments): boolean =>
  left.length === right.length && left.every(({ depth, workers }, at) => depth === right[at]?.depth && workers === right[at].workers);
