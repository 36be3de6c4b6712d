import type { JobUid } from '#vocabulary/ids.ts';
import type { Placement } from '#vocabulary/job.ts';
import type { Policy } from '../context.ts';
import type { StateView } from '../state/view.ts';

/**
 * The rendezvous of an attempt: worker 0's address and a port of its own. A hash of the job picks the first one and each
 * attempt goes one further, so that a late process of the attempt before finds nobody there; two clusters on one machine
 * seldom meet.
 */
export function chooseCoordinator(
  state: StateView,
  ports: Policy['coordinatorPorts'],
  attempt: { readonly uid: JobUid; readonly attempt: number; readonly placement: Placement },
): { readonly address: string; readonly port: number } {
  const first = attempt.placement[0];
  const address = (first === undefined ? undefined : state.nodes.get(first.node))?.inventory.address ?? '127.0.0.1';
  const used = state.ports.get(address);
  const start = (fnv1a(attempt.uid) + attempt.attempt) % ports.count;
  for (let offset = 0; offset < ports.count; offset += 1) {
    const port = ports.first + ((start + offset) % ports.count);
    if (used?.has(port) !== true) return { address, port };
  }
  return { address, port: ports.first + start };
}

/** FNV-1a, 32 bits (Fowler, Noll, Vo; RFC 9923). */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  return hash;
}
