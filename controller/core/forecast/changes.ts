import { assertNever } from '#vocabulary/assert.ts';
import type { JobName, NodeName, UserName } from '#vocabulary/ids.ts';
import { epoch, jobName, nodeName, queueName, userName } from '#vocabulary/ids.ts';
import { protocolVersion } from '#vocabulary/session.ts';
import type { GpuInfo, NodeInventory } from '#vocabulary/topology.ts';
import { defaultQueueSpec, type QueueSpec } from '#vocabulary/queue.ts';
import { modelsPresent } from '../jobs/emptyRoom.ts';
import type { Policy } from '../context.ts';
import type { Input } from '../inputs.ts';
import type { Wanted } from '../plan.ts';
import { suggest } from '../suggest.ts';
import type { NodeView, StateView } from '../state/view.ts';

/** What would be otherwise. */
export type Change =
  /** Nodes like those that there are of the model; `domain` null: in a new domain of the innermost level. */
  | { readonly kind: 'addNodes'; readonly count: number; readonly model: string; readonly gpus: number; readonly domain: string | null }
  /** A node's name, or `level/domain`: its nodes fail, are emptied, or take nothing new. */
  | { readonly kind: 'lose' | 'drain' | 'cordon'; readonly domain: string }
  /** `model` null: of all that the queue names. `amount` null: no limit, or no guarantee. */
  | {
      readonly kind: 'quota';
      readonly queue: string;
      readonly field: 'limit' | 'guaranteed' | 'weight';
      readonly model: string | null;
      readonly amount: number | null;
    }
  /** This job goes before all others. */
  | { readonly kind: 'next'; readonly job: string }
  | { readonly kind: 'apply'; readonly wanted: Wanted };

/** The change with this index cannot be, and why. */
export interface ChangeProblem {
  readonly change: number;
  readonly message: string;
}

export type CompiledChanges =
  /** `changeOf`: of which change each input is. */
  | { readonly ok: true; readonly inputs: readonly Input[]; readonly changeOf: readonly number[] }
  | { readonly ok: false; readonly problems: readonly ChangeProblem[] };

/** Nodes that one question may add. */
const addedNodesMax = 20_000;
/** GPUs of one node. */
const nodeGpusMax = 64;
/** Who asks for what cannot be asked for by anybody. */
const asker: UserName = userName('what-if');

/** The changes as what would reach the core if they were real. All problems, not only the first. */
export function compileChanges(state: StateView, changes: readonly Change[], policy: Policy): CompiledChanges {
  const problems: ChangeProblem[] = [];
  const inputs: Input[] = [];
  const changeOf: number[] = [];
  let added = 0;
  for (const [at, change] of changes.entries()) {
    const compiled = compile(state, policy, change, added);
    if (typeof compiled === 'string') problems.push({ change: at, message: compiled });
    else
      for (const input of compiled) {
        inputs.push(input);
        changeOf.push(at);
      }
    if (change.kind === 'addNodes' && typeof compiled !== 'string') added += change.count;
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, inputs, changeOf };
}

/** A text: why not. */
function compile(state: StateView, policy: Policy, change: Change, added: number): readonly Input[] | string {
  switch (change.kind) {
    case 'addNodes':
      return addNodes(state, policy, change, added);
    case 'lose':
    case 'drain':
    case 'cordon': {
      const nodes = findNodes(state, policy, change.domain);
      return typeof nodes === 'string' ? nodes : nodes.map((node) => leave(node, change.kind));
    }
    case 'quota':
      return changeQuota(state, change);
    case 'next': {
      const name = findWaiting(state, change.job);
      return name === null ? whyNotNext(state, change.job) : [{ kind: 'nextJob', name, user: asker }];
    }
    case 'apply':
      return [change.wanted];
    default:
      return assertNever(change);
  }
}

function leave(node: NodeName, how: 'lose' | 'drain' | 'cordon'): Input {
  if (how === 'lose') return { kind: 'nodeSilent', node, silentMs: 0 };
  return { kind: 'cordonNode', node, user: asker, reason: 'what if', drain: how === 'drain' };
}

function addNodes(
  state: StateView,
  policy: Policy,
  { count, model, gpus, domain }: Extract<Change, { kind: 'addNodes' }>,
  added: number,
): readonly Input[] | string {
  if (!isWithin(count, 1, addedNodesMax - added)) return `${count} nodes: 1 to ${addedNodesMax} can be added, all together`;
  if (!isWithin(gpus, 1, nodeGpusMax)) return `${gpus} GPUs a node: 1 to ${nodeGpusMax} are allowed`;
  const nodes = sortedNodes(state);
  const [first] = nodes;
  if (first === undefined) return 'the cluster has no nodes yet that new ones could stand beside';
  const like = nodes.find(({ inventory }) => inventory.gpus.some((gpu) => gpu.model === model));
  if (like === undefined)
    return `the cluster has no GPUs of model "${model}"; it has ${modelsPresent(state).join(', ')}${suggest(model, modelsPresent(state))}`;
  const path = placeFor(state, policy, first, domain);
  if (typeof path === 'string') return path;
  return Array.from({ length: count }, (_, at) => joinAs(nameFor(state, added + at), { like, model, gpus, path }));
}

const isWithin = (value: number, min: number, max: number): boolean => Number.isInteger(value) && value >= min && value <= max;

/** A name that no node has, however they are called. */
function nameFor(state: StateView, number: number): NodeName {
  let name = nodeName(`added-${String(number + 1).padStart(5, '0')}`);
  while (state.nodes.has(name)) name = nodeName(`${name}x`);
  return name;
}

/** The path of a new node; a text: why there is none. A domain that does not exist yet is beside the first node's. */
function placeFor(state: StateView, { levels }: Policy, first: NodeView, domain: string | null): readonly string[] | string {
  const above = levels.slice(0, -1);
  if (above.length === 0) return [];
  const { level, name } = parseDomain(domain ?? 'added', above.at(-1) ?? '');
  const depth = above.indexOf(level);
  if (depth === -1) return `level "${level}" is none of ${above.join(', ')}`;
  const found = pathsOf(state, depth, name);
  if (found.length > 1) return ambiguous(level, name, found);
  const known = found[0] ?? [...first.inventory.path.slice(0, depth), name.split('/').at(-1) ?? name];
  return [...known, ...above.slice(depth + 1).map(() => 'added')];
}

function joinAs(
  name: NodeName,
  { like, model, gpus, path }: { readonly like: NodeView; readonly model: string; readonly gpus: number; readonly path: readonly string[] },
): Input {
  const pattern = like.inventory.gpus.filter((gpu) => gpu.model === model && gpu.slots === undefined);
  const inventory: NodeInventory = {
    ...like.inventory,
    address: name,
    bootId: name,
    path,
    gpus: Array.from({ length: gpus }, (_, index): GpuInfo => {
      const of = pattern[index % Math.max(1, pattern.length)] ?? like.inventory.gpus[0];
      return {
        index,
        uuid: `GPU-${name}-${index}`,
        model,
        memoryBytes: of?.memoryBytes ?? 0,
        pciBusId: String(index),
        numaNode: of?.numaNode ?? 0,
        nvlinkDomain: of?.nvlinkDomain ?? null,
      };
    }),
  };
  const gpuHealth = inventory.gpus.map(({ index }) => ({ index, healthy: true, code: '', message: '' }));
  const { labels } = like;
  return {
    kind: 'hello',
    hello: {
      node: name,
      protocolVersion,
      agentVersion: inventory.agentVersion,
      inventory,
      epochSeen: epoch(0),
      workers: [],
      gpuHealth,
      labels,
    },
  };
}

/** The names of the nodes that `domain` means; a text: why it means none. */
function findNodes(state: StateView, { levels }: Policy, domain: string): readonly NodeName[] | string {
  const innermost = levels.at(-1) ?? 'node';
  const { level, name } = parseDomain(domain, innermost);
  const depth = levels.indexOf(level);
  if (depth === -1) return `level "${level}" is none of ${levels.join(', ')}`;
  if (level === innermost) {
    const node = state.nodes.get(nodeName(name));
    return node === undefined ? `node "${name}" not found${suggest(name, state.nodes.keys())}` : [node.name];
  }
  const paths = pathsOf(state, depth, name);
  if (paths.length > 1) return ambiguous(level, name, paths);
  const [path] = paths;
  if (path === undefined) return `${level} "${name}" not found${suggest(name, allDomains(state, depth))}`;
  return sortedNodes(state).flatMap((node) => (startsWith(node.inventory.path, path) ? [node.name] : []));
}

/** `level/name`, `level/outer/inner`, or a name alone. */
function parseDomain(text: string, usual: string): { readonly level: string; readonly name: string } {
  const at = text.indexOf('/');
  return at === -1 ? { level: usual, name: text } : { level: text.slice(0, at), name: text.slice(at + 1) };
}

/** Of the domains of this level whose path ends so. */
function pathsOf(state: StateView, depth: number, name: string): readonly (readonly string[])[] {
  const paths = new Map<string, readonly string[]>();
  for (const { inventory } of state.nodes.values()) {
    const path = inventory.path.slice(0, depth + 1);
    const key = path.join('/');
    if (path.length === depth + 1 && (key === name || key.endsWith(`/${name}`))) paths.set(key, path);
  }
  return [...paths].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, path]) => path);
}

const ambiguous = (level: string, name: string, paths: readonly (readonly string[])[]): string =>
  `${level} "${name}" is several: ${paths.map((path) => `${level}/${path.join('/')}`).join(', ')}`;

const allDomains = (state: StateView, depth: number): ReadonlySet<string> =>
  new Set([...state.nodes.values()].flatMap(({ inventory }) => inventory.path[depth] ?? []));

const startsWith = (path: readonly string[], start: readonly string[]): boolean => start.every((domain, at) => path[at] === domain);

const sortedNodes = (state: StateView): readonly NodeView[] =>
  [...state.nodes.values()].sort((left, right) => (left.name < right.name ? -1 : 1));

function changeQuota(
  state: StateView,
  { queue: name, field, model, amount }: Extract<Change, { kind: 'quota' }>,
): readonly Input[] | string {
  const queue = state.queues.get(queueName(name));
  if (queue === undefined) return `queue "${name}" not found${suggest(name, state.queues.keys())}`;
  const apply = (changed: Partial<QueueSpec>): readonly Input[] => [
    { kind: 'applyQueue', name: queue.name, labels: queue.labels, spec: { ...queue.spec, ...changed } },
  ];
  if (field === 'weight') {
    if (model !== null) return `a weight is not of a GPU model; "${model}" is given`;
    if (amount !== null && !(amount >= 0 && amount <= 1_000_000)) return `a weight of ${amount}: 0 to 1,000,000 is wanted, or none`;
    return apply({ weight: amount ?? defaultQueueSpec.weight });
  }
  const models = model === null ? modelsPresent(state) : [model];
  if (model !== null && !modelsPresent(state).includes(model))
    return `the cluster has no GPUs of model "${model}"; it has ${modelsPresent(state).join(', ')}${suggest(model, modelsPresent(state))}`;
  if (amount !== null && !isWithin(amount, 0, 1_000_000_000)) return `${amount} GPUs: a whole number of 0 or more is wanted, or none`;
  const others = Object.entries(queue.spec[field]).filter(([each]) => !models.includes(each));
  return apply({ [field]: Object.fromEntries(amount === null ? others : [...others, ...models.map((each) => [each, amount] as const)]) });
}

function findWaiting(state: StateView, name: string): JobName | null {
  const uid = state.jobsByName.get(jobName(name));
  const job = uid === undefined ? undefined : state.jobs.get(uid);
  return job?.phase.kind === 'pending' ? job.name : null;
}

function whyNotNext(state: StateView, name: string): string {
  const uid = state.jobsByName.get(jobName(name));
  const job = uid === undefined ? undefined : state.jobs.get(uid);
  if (job !== undefined) return `job "${name}" does not wait (it is ${job.phase.kind})`;
  const waiting = state.pending.flatMap((each) => state.jobs.get(each)?.name ?? []);
  return `job "${name}" not found${suggest(name, waiting)}`;
}
