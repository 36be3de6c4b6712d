import type { NodeName } from '#vocabulary/ids.ts';
import type { NodeChoice } from '#vocabulary/reservation.ts';
import type { Levels } from '#vocabulary/topology.ts';
import { perTopology } from '../state/perTopology.ts';
import type { NodeView, ReservationView, StateView } from '../state/view.ts';

/**
 * Which nodes a reservation is about, in name order. Kept until a node comes or changes its labels, its place in the
 * topology or its GPUs.
 */
export function nodesOf(state: StateView, levels: Levels, { spec, chosen }: Pick<ReservationView, 'spec' | 'chosen'>): readonly NodeName[] {
  if (chosen !== null) return chosen;
  const known = resolved(state).get(spec.nodes);
  if (known !== undefined) return known;
  const names = resolveNodes(state, levels, spec.nodes);
  resolved(state).set(spec.nodes, names);
  return names;
}

const resolved = perTopology(() => new WeakMap<NodeChoice, readonly NodeName[]>());

/** Of what the spec names; of a number of nodes, none. */
export function resolveNodes(state: StateView, levels: Levels, nodes: NodeChoice): readonly NodeName[] {
  if (nodes.kind === 'count') return [];
  if (nodes.kind === 'names') return nodes.names.filter((name) => state.nodes.has(name)).sort();
  const found = [...state.nodes.values()].filter((node) =>
    nodes.kind === 'labels'
      ? Object.entries(nodes.labels).every(([key, value]) => node.labels[key] === value)
      : nodes.domains.some((domain) => isInside(node, levels, domain)),
  );
  return found.map(({ name }) => name).sort();
}

/** `level/name`, or with names of levels above it before the name. */
export function isInside(node: NodeView, levels: Levels, domain: string): boolean {
  const [level = '', ...names] = domain.split('/');
  const path = domainPath(node, levels.indexOf(level) + 1);
  return path.length >= names.length && names.every((name, at) => path[path.length - names.length + at] === name);
}

/** Names from the outermost level to the one of this depth. */
export const domainPath = (node: NodeView, depth: number): readonly string[] => [...node.inventory.path, node.name].slice(0, depth);
