import { excerpt } from '#codec/fieldProblem.ts';
import { jobName, type NodeName } from '#vocabulary/ids.ts';
import { describeUnknown, type Fields } from '#codec/fields.ts';
import type { Fault } from './scenario.ts';
import type { TimelineContext } from './known.ts';

/** What each kind takes, beside `kind` and, for faults of machines, `node` or `domain`. */
const ownFields = {
  xid: ['code', 'gpu', 'for'],
  'gpu-lost': ['gpu', 'for'],
  'agent-lost': ['for'],
  'node-down': ['for'],
  'link-flap': ['nic', 'for', 'times'],
  slow: ['factor', 'for'],
  'validator-fails': ['check'],
  hang: ['job'],
  'process-exit': ['job', 'rank', 'code'],
} as const;
const kinds = [
  'xid',
  'agent-lost',
  'node-down',
  'link-flap',
  'gpu-lost',
  'slow',
  'hang',
  'process-exit',
  'validator-fails',
] as const satisfies readonly (keyof typeof ownFields)[];
const flapMsDefault = 1_000;

export function parseFault(entry: Fields, context: TimelineContext): Fault | null {
  const every = [...new Set(Object.values(ownFields).flat())];
  const fields = entry.fields('fault', ['kind', 'node', 'domain', ...every]);
  if (fields?.require('kind') !== true) return null;
  const kind = fields.choice('kind', kinds);
  if (kind === null) return null;
  const where = kind === 'hang' || kind === 'process-exit' ? [] : ['node', 'domain'];
  const own: readonly string[] = [...where, ...ownFields[kind]];
  for (const name of fields.names())
    if (name !== 'kind' && !own.includes(name))
      fields.problems.add(fields.at(name), `does not belong to ${kind}; it takes ${own.join(', ')}`);
  if (kind === 'hang' || kind === 'process-exit') return parseJobFault(fields, kind, context);
  const nodes = parseNodes(fields, context);
  return nodes.length === 0 ? null : parseNodeFault(fields, kind, nodes, context);
}

function parseJobFault(fields: Fields, kind: 'hang' | 'process-exit', { known }: TimelineContext): Fault | null {
  if (!fields.require('job')) return null;
  const text = fields.text('job');
  // `job/a` is how people name it elsewhere.
  const name = text?.replace(/^job\//, '') ?? null;
  if (name === null) return null;
  if (!known.jobs.has(name)) {
    fields.problems.add(fields.at('job'), `job ${describeUnknown(name, [...known.jobs])}`);
    return null;
  }
  if (kind === 'hang') return { kind, job: jobName(name) };
  const rank = fields.wholeNumber('rank', { min: 0 }) ?? 0;
  return { kind, job: jobName(name), rank, code: fields.wholeNumber('code', { min: 0, max: 255 }) ?? 1 };
}

function parseNodes(fields: Fields, { nodes }: TimelineContext): readonly NodeName[] {
  if (fields.has('node') === fields.has('domain')) {
    fields.problems.add(fields.path, 'needs one of node (a name) and domain (a path, outermost first)');
    return [];
  }
  if (fields.has('node')) {
    const name = fields.text('node')?.replace(/^node\//, '');
    if (name === undefined) return [];
    const found = nodes.filter((node) => node.name === name);
    if (found.length === 0)
      fields.problems.add(
        fields.at('node'),
        `node ${describeUnknown(
          name,
          nodes.map((node) => node.name),
        )}`,
      );
    return found.map((node) => node.name);
  }
  const path = fields.texts('domain');
  const inside = nodes.filter((node) => path.every((domain, depth) => [...node.path, node.name][depth] === domain));
  if (path.length === 0 || inside.length === 0) {
    const domains = [...new Set(nodes.map((node) => node.path.join('/')))];
    fields.problems.add(
      fields.at('domain'),
      `${excerpt(path)} holds no node; the innermost domains are ${domains.slice(0, 10).join(', ')}${domains.length > 10 ? ', …' : ''}`,
    );
    return [];
  }
  return inside.map((node) => node.name);
}

function parseNodeFault(
  fields: Fields,
  kind: Exclude<(typeof kinds)[number], 'hang' | 'process-exit'>,
  nodes: readonly NodeName[],
  context: TimelineContext,
): Fault | null {
  const forMs = fields.durationMs('for');
  switch (kind) {
    case 'xid':
    case 'gpu-lost': {
      const least = Math.min(...context.nodes.filter(({ name }) => nodes.includes(name)).map(({ gpus }) => gpus));
      if (least === 0) {
        fields.problems.add(fields.path, 'names a node without GPUs');
        return null;
      }
      const gpu = fields.wholeNumber('gpu', { min: 0, max: least - 1 }) ?? 0;
      if (kind === 'gpu-lost') return { kind, nodes, gpu, forMs };
      if (!fields.require('code')) return null;
      return { kind, nodes, gpu, code: fields.wholeNumber('code', { min: 1, max: 999 }) ?? 0, forMs };
    }
    case 'agent-lost':
    case 'node-down':
      return { kind, nodes, forMs };
    case 'link-flap': {
      const times = fields.wholeNumber('times', { min: 1, max: 100_000 }) ?? 1;
      return { kind, nodes, nic: fields.text('nic') ?? '0', forMs: forMs ?? flapMsDefault, times };
    }
    case 'slow':
      if (!fields.require('factor')) return null;
      return { kind, nodes, factor: fields.number('factor', { min: 1, max: 1_000_000 }) ?? 1, forMs };
    case 'validator-fails':
      return { kind, nodes, check: fields.text('check') ?? '' };
  }
}
