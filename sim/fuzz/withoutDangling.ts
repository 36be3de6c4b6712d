import type { FuzzCase, Mapping, Value } from './fuzzCase.ts';

/** The same case without what speaks of nodes, jobs and queues that are not in it any more: a scenario that does is refused. */
export function withoutDangling(of: FuzzCase): FuzzCase {
  const nodes = new Set(of.nodes.map(({ name }) => name));
  const paths = of.nodes.map((node) => JSON.stringify(at(node, 'path') ?? []).slice(0, -1));
  const jobs = new Set(
    of.timeline.flatMap((entry) => (at(entry, 'apply', 'kind') === 'TrainingJob' ? [at(entry, 'apply', 'metadata', 'name')] : [])),
  );
  const queues = new Set(of.queues.map(({ name }) => name));
  const isKnown = (entry: Mapping): boolean => {
    const target = at(entry, 'do', 'target');
    const [kind, name] = typeof target === 'string' ? target.split('/') : [];
    if (kind !== undefined && name !== undefined && !(kind === 'node' ? nodes : jobs).has(name)) return false;
    const fault = at(entry, 'fault');
    const [node, domain, job] = [at(fault, 'node'), at(fault, 'domain'), at(fault, 'job')];
    if (node !== undefined && !nodes.has(node)) return false;
    if (domain !== undefined && !paths.some((path) => path.startsWith(JSON.stringify(domain).slice(0, -1)))) return false;
    return job === undefined || jobs.has(job);
  };
  const { trouble } = of;
  return {
    ...of,
    queues: of.queues.map((queue) => (queues.has(queue['parent'] ?? null) ? queue : drop(queue, 'parent'))),
    timeline: of.timeline.filter(isKnown).map((entry) => inKnownQueue(entry, queues)),
    trouble: {
      ...trouble,
      agentRestarts: trouble.agentRestarts.filter(({ node }) => nodes.has(node)),
      orders: trouble.orders.filter(({ job }) => jobs.has(job)),
    },
  };
}

/** A job whose queue is gone is in the first one that is there; without queues, in the one that always is. */
function inKnownQueue(entry: Mapping, queues: ReadonlySet<Value | undefined>): Mapping {
  const apply = at(entry, 'apply');
  const spec = at(apply, 'spec');
  const [first] = queues;
  if (!isMapping(apply) || !isMapping(spec) || apply['kind'] !== 'TrainingJob' || queues.has(spec['queue'])) return entry;
  return { ...entry, apply: { ...apply, spec: first === undefined ? drop(spec, 'queue') : { ...spec, queue: first } } };
}

function at(value: Value | undefined, ...path: readonly string[]): Value | undefined {
  return path.reduce<Value | undefined>((inner, name) => (isMapping(inner) ? inner[name] : undefined), value);
}

const isMapping = (value: Value | undefined): value is Mapping => typeof value === 'object' && value !== null && !Array.isArray(value);

const drop = (mapping: Mapping, name: string): Mapping => Object.fromEntries(Object.entries(mapping).filter(([other]) => other !== name));
