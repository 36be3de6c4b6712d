import type { JobName, NodeName } from '#vocabulary/ids.ts';
import type { Reply, Request } from '../inputs.ts';
import { suggest } from '../suggest.ts';
import { askToLeave } from '../jobs/stop.ts';
import type { Turn } from '../turn.ts';

/** Keeps new work off a node; with `drain`, asks what runs there to leave with a checkpoint. */
export function onCordonNode(turn: Turn, request: Extract<Request, { kind: 'cordonNode' }>): Reply {
  const { node: name, user, reason, drain } = request;
  const node = turn.state.nodes.get(name);
  if (node === undefined) return notFound(turn, name);
  const isNew = node.cordon === null || (drain && !node.cordon.drain);
  if (isNew) turn.emit({ kind: 'NodeCordoned', node: name, by: user, reason, drain });
  const jobs: JobName[] = [];
  for (const uid of drain ? [...node.jobs].sort() : []) {
    const job = turn.state.jobs.get(uid);
    if (job === undefined) continue;
    askToLeave(turn, job, 'Drained');
    jobs.push(job.name);
  }
  return { kind: 'changed', changed: isNew, jobs, uid: name };
}

export function onUncordonNode(turn: Turn, request: Extract<Request, { kind: 'uncordonNode' }>): Reply {
  const node = turn.state.nodes.get(request.node);
  if (node === undefined) return notFound(turn, request.node);
  if (node.cordon === null && node.reserved?.purpose === 'maintenance') {
    const { name } = node.reserved;
    const message = `node ${request.node} is kept by reservation ${name}, not by a cordon; delete the reservation, or apply it without the node`;
    return { kind: 'refused', code: 'FAILED_PRECONDITION', field: '', message };
  }
  if (node.cordon === null) return { kind: 'changed', changed: false, jobs: [], uid: request.node };
  turn.emit({ kind: 'NodeUncordoned', node: request.node, by: request.user });
  return { kind: 'changed', changed: true, jobs: [], uid: request.node };
}

function notFound(turn: Turn, name: NodeName): Reply {
  return { kind: 'refused', code: 'NOT_FOUND', field: '', message: `nodes "${name}" not found${suggest(name, turn.state.nodes.keys())}` };
}
