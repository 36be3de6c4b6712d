import { generation } from '#vocabulary/ids.ts';
import type { Placement } from '#vocabulary/job.ts';
import type { State } from '../state/state.ts';

/** The desired sets of these nodes changed. Once a node, however many workers of the gang it has. */
export function touchNodes(state: State, { placement }: { readonly placement: Placement }): void {
  const names = placement.length === 1 ? placement.map(({ node }) => node) : new Set(placement.map(({ node }) => node));
  for (const name of names) {
    const node = state.nodes.get(name);
    if (node !== undefined) node.generation = generation(node.generation + 1);
  }
}
