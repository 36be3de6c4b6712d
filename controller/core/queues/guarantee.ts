import type { QueueName } from '#vocabulary/ids.ts';
import type { QueueSpec } from '#vocabulary/queue.ts';
import { revision } from '#vocabulary/ids.ts';
import type { StateView } from '../state/view.ts';
import { QueueTree } from './queueTree.ts';

export interface BrokenGuarantee {
  readonly field: string;
  readonly message: string;
}

/**
 * What does not hold when queue `name` gets this spec; null when all holds. For each model, on the way from the queue to
 * its root: what the queues below are guaranteed together is at most what their parent is (where it names a guarantee)
 * and at most its limit (where it has one); a guarantee is at most the queue's own limit. So no guarantee can be kept
 * only at another's cost.
 */
export function findBrokenGuarantee(queues: StateView['queues'], name: QueueName, spec: QueueSpec): BrokenGuarantee | null {
  const changed = new Map(queues).set(name, { name, spec, labels: {}, createdAtMs: 0, changedAt: revision(0) });
  const tree = new QueueTree(changed);
  for (const model of modelsOf(changed)) {
    for (const queue of tree.chain(name)) {
      const guaranteed = changed.get(queue)?.spec.guaranteed[model];
      const limit = changed.get(queue)?.spec.limit[model];
      for (const [word, bound] of [
        ['guaranteed', guaranteed],
        ['limit', limit],
      ] as const) {
        if (bound === undefined) continue;
        const broken = judgeBound(tree, { changed: name, queue, model, word, bound });
        if (broken !== null) return broken;
      }
    }
  }
  return null;
}

interface Bound {
  /** The queue that is applied. */
  readonly changed: QueueName;
  /** The queue that has the bound: the same one or one above it. */
  readonly queue: QueueName;
  readonly model: string;
  readonly word: 'guaranteed' | 'limit';
  readonly bound: number;
}

function judgeBound(tree: QueueTree, { changed, queue, model, word, bound }: Bound): BrokenGuarantee | null {
  const own = word === 'limit' ? tree.guaranteed(queue, model) : 0;
  const below = tree.guaranteedBelow(queue, model);
  if (Math.max(own, below) <= bound) return null;
  const path = (field: string): string => `spec.${field}${/^[A-Za-z0-9_-]+$/.test(model) ? `.${model}` : `[${JSON.stringify(model)}]`}`;
  if (queue === changed) {
    return below > bound
      ? {
          field: path(word),
          message: `${bound} is too little: ${listBelow(tree, queue, model)} are guaranteed ${below}; allowed: at least ${below}`,
        }
      : { field: path('guaranteed'), message: `${own} is more than ${path('limit')} ${bound}; allowed: at most ${bound}` };
  }
  const mine = tree.guaranteed(changed, model);
  const bounded = word === 'limit' ? `may hold ${bound}` : `is guaranteed ${bound}`;
  return {
    field: path('guaranteed'),
    message: `${mine} is too much: queue ${queue} ${bounded} ${model}, of which ${below - mine} are guaranteed to others below it; allowed: at most ${Math.max(0, bound - below + mine)}`,
  };
}

/** `research and serving`; long lists are cut. */
function listBelow(tree: QueueTree, queue: QueueName, model: string): string {
  const names = tree.children(queue).filter((child) => tree.guaranteed(child, model) > 0);
  const shown = names.slice(0, 8).join(', ');
  return `the queues below it (${names.length > 8 ? `${shown} and ${names.length - 8} more` : shown})`;
}

function modelsOf(queues: StateView['queues']): readonly string[] {
  return [...new Set([...queues.values()].flatMap(({ spec }) => Object.keys(spec.guaranteed)))].sort();
}
