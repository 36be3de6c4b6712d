import type { QueueName } from '#vocabulary/ids.ts';
import type { Reply, Request } from '../inputs.ts';
import type { QueueView } from '../state/view.ts';
import { suggest } from '../suggest.ts';
import type { Turn } from '../turn.ts';
import { completeQueueSpec } from './applyQueue.ts';
import { findBrokenGuarantee } from './guarantee.ts';
import { withAncestors } from './usage.ts';

/**
 * Creates or changes a queue. Its parent is fixed: moving a subtree would move what its jobs hold. Guarantees must fit
 * into each other and under the limits; they may be more than the cluster has, since nodes come and go.
 */
export function onApplyQueue(turn: Turn, request: Extract<Request, { kind: 'applyQueue' }>): Reply {
  const { name, labels, spec } = request;
  const { queues } = turn.state;
  const old = queues.get(name);
  const { parent } = spec;
  if (parent !== null && !queues.has(parent)) {
    return refuse(
      'INVALID_ARGUMENT',
      'spec.parent',
      `queue "${parent}" does not exist${suggest(parent, queues.keys()) || '; apply the parent first'}`,
    );
  }
  if (parent !== null && withAncestors(queues, parent).includes(name))
    return refuse('INVALID_ARGUMENT', 'spec.parent', `"${parent}" is "${name}" itself or below it`);
  if (old !== undefined && old.spec.parent !== parent) {
    return refuse(
      'FAILED_PRECONDITION',
      'spec.parent',
      `queue ${name} stands under ${old.spec.parent ?? 'no parent'}; a queue cannot be moved, delete it and apply it again`,
    );
  }
  const broken = findBrokenGuarantee(queues, name, spec);
  if (broken !== null) return refuse('INVALID_ARGUMENT', broken.field, broken.message);
  if (old !== undefined && printed(old) === printed({ spec, labels })) return { kind: 'applied', outcome: 'unchanged', uid: name };
  turn.emit({ kind: 'QueueApplied', name, spec, labels });
  return { kind: 'applied', outcome: old === undefined ? 'created' : 'configured', uid: name };
}

export function onDeleteQueue(turn: Turn, name: QueueName): Reply {
  const { queues, jobs } = turn.state;
  if (!queues.has(name)) {
    return refuse('NOT_FOUND', '', `queues "${name}" not found${suggest(name, queues.keys())}`);
  }
  const child = [...queues.values()].find((queue) => queue.spec.parent === name);
  if (child !== undefined) return refuse('FAILED_PRECONDITION', '', `queue ${name} has a queue below it: ${child.name}`);
  const user = [...jobs.values()].find((job) => job.spec.queue === name && job.phase.kind !== 'finished');
  if (user !== undefined) return refuse('FAILED_PRECONDITION', '', `queue ${name} has a job that has not finished: ${user.name}`);
  const reservation = [...turn.state.reservations.values()].find(
    ({ spec, occurrence }) => occurrence !== null && spec.queues.includes(name),
  );
  if (reservation !== undefined) return refuse('FAILED_PRECONDITION', '', `queue ${name} is named by reservation ${reservation.name}`);
  turn.emit({ kind: 'QueueRemoved', name });
  return { kind: 'changed', changed: true, jobs: [], uid: name };
}

/** Completed first: the order of fields must not tell a spec of an old log from the same one of a manifest. */
function printed({ spec, labels }: Pick<QueueView, 'spec' | 'labels'>): string {
  return JSON.stringify([completeQueueSpec(spec), labels]);
}

function refuse(code: 'INVALID_ARGUMENT' | 'FAILED_PRECONDITION' | 'NOT_FOUND', field: string, message: string): Reply {
  return { kind: 'refused', code, field, message };
}
