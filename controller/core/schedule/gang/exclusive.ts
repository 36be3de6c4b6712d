import type { Capacity } from '../capacity/capacity.ts';
import { domainAbove } from '../capacity/topology.ts';
import type { AllowedNodes, GangRequest } from './gangRequest.ts';

/** The wish for empty domains as a mask: true until the capacity changes. */
export function withEmptyDomains(capacity: Capacity, request: GangRequest): GangRequest {
  return request.exclusiveDepth === null ? request : { ...request, allowed: emptyDomainsOnly(capacity, request) };
}

/** The allowed nodes less those whose domain of the exclusive depth holds somebody. The key is new each time: it is true only now. */
function emptyDomainsOnly(capacity: Capacity, request: GangRequest): AllowedNodes {
  const depth = request.exclusiveDepth ?? 0;
  const { topology } = capacity;
  const held = new Set<number>();
  for (let node = 0; node < capacity.nodes; node += 1) {
    if (capacity.holdsOf(node).length > 0) held.add(domainAbove(topology, node, depth));
  }
  const mask = new Uint8Array(capacity.nodes);
  for (let node = 0; node < capacity.nodes; node += 1) {
    const allowed = request.allowed === null || request.allowed.mask[node] === 1;
    mask[node] = allowed && !held.has(domainAbove(topology, node, depth)) ? 1 : 0;
  }
  return { key: `${request.allowed?.key ?? ''} empty at ${depth} as of ${capacity.changes}`, mask };
}
