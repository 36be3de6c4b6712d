import type { NodeName } from '#vocabulary/ids.ts';
import { domainKey } from '#vocabulary/topology.ts';
import type { Policy } from '../../context.ts';
import type { NodeView, StateView } from '../../state/view.ts';
import { fillSegments, sizePool } from './sizePool.ts';

/** The spare nodes that a domain is to have. */
export interface Pool {
  /** Of the GPU model that most of its nodes have; by name. */
  readonly nodes: readonly NodeName[];
  readonly wanted: number;
}

/** By path of the domain (`z1/b1`), in order. */
export type Pools = ReadonlyMap<string, Pool>;

interface Known {
  readonly topologyAt: number;
  readonly policy: Policy['spares'];
  readonly pools: Pools;
}

const known = new WeakMap<StateView, Known>();

/** By domain. Follows from inventories and policy alone, so it is made anew only when a node comes. */
export function poolsOf(state: StateView, { levels, spares }: Pick<Policy, 'levels' | 'spares'>): Pools {
  const depth = levels.indexOf(spares.level) + 1;
  if (depth === 0) return noPools;
  const last = known.get(state);
  if (last !== undefined && last.topologyAt === state.topologyAt && last.policy === spares) return last.pools;
  const pools = makePools(state, depth, spares);
  known.set(state, { topologyAt: state.topologyAt, policy: spares, pools });
  return pools;
}

const noPools: Pools = new Map();

function makePools(state: StateView, depth: number, policy: Policy['spares']): Pools {
  const domains = Map.groupBy(state.nodes.values(), (node) => domainKey([...node.inventory.path, node.name], depth));
  const pools = [...domains].map(([domain, all]): readonly [string, Pool] => {
    const nodes = ofCommonModel(all);
    const gpus = nodes.reduce((sum, node) => sum + node.inventory.gpus.length, 0);
    const { wanted } = policy.nodes > 0 ? { wanted: policy.nodes } : sizePool({ ...policy, nodes: nodes.length, gpus });
    const kept = fillSegments(nodes.length, Math.min(wanted, nodes.length), policy.segmentNodes).nodes;
    return [domain, { nodes: nodes.map(({ name }) => name).sort(), wanted: kept }];
  });
  return new Map(pools.sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** A pool helps gangs of one model: that of most nodes, the first by name of equals. */
function ofCommonModel(nodes: readonly NodeView[]): readonly NodeView[] {
  const byModel = Map.groupBy(nodes, ({ inventory }) => inventory.gpus[0]?.model ?? '');
  byModel.delete('');
  const [most] = [...byModel].sort(([one, left], [other, right]) => right.length - left.length || (one < other ? -1 : 1));
  return most?.[1] ?? [];
}
