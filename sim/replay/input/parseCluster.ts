/**
 * The cluster of a replay from YAML: a whole Scenario, or only its `cluster:` part. A replay knows nodes and their GPUs and
 * nothing else, so models, paths and timings are passed over; what would change the result is refused by name.
 */
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node } from 'yaml';
import { InputError } from '../../inputError.ts';
import type { ClusterShape } from '../gpuPool.ts';

const nodesMax = 1_000_000;
const nodeGpusMax = 64;
const known = ['levels', 'nodes', 'pools', 'nvlink', 'timings', 'failures'];

/** `file` is named in errors. Throws InputError. */
export function parseCluster(text: string, file: string): ClusterShape {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const broken = document.errors[0];
  if (broken !== undefined) throw new InputError(`${file}:${lines.linePos(broken.pos[0]).line}: ${broken.message}`);
  const reader = new ClusterReader(file, lines);
  return reader.shape(document.contents);
}

class ClusterReader {
  readonly #file: string;
  readonly #lines: LineCounter;
  #nodes = 0;
  #nodeGpus: number | undefined;

  constructor(file: string, lines: LineCounter) {
    this.#file = file;
    this.#lines = lines;
  }

  shape(contents: unknown): ClusterShape {
    const root = this.#fields(contents, 'the file');
    const cluster = root.has('cluster') ? this.#fields(root.get('cluster'), 'cluster') : root;
    for (const [name, value] of cluster)
      if (!known.includes(name)) throw this.#wrong(value, name, `is not a field of a cluster; those are ${known.join(', ')}`);
    if (cluster.has('failures')) throw this.#wrong(cluster.get('failures'), 'failures', 'a replay plays no failures; leave it out');
    for (const [index, node] of this.#list(cluster.get('nodes'), 'nodes').entries()) this.#addNode(node, `nodes[${index}]`);
    for (const [index, pool] of this.#list(cluster.get('pools'), 'pools').entries()) this.#addPool(pool, `pools[${index}]`);
    if (this.#nodeGpus === undefined) throw new InputError(`${this.#file}: no nodes; give them under nodes or pools`);
    if (this.#nodes > nodesMax) throw new InputError(`${this.#file}: ${this.#nodes} nodes; a replay takes at most ${nodesMax}`);
    return { nodes: this.#nodes, nodeGpus: this.#nodeGpus };
  }

  #addNode(value: unknown, where: string): void {
    const fields = this.#fields(value, where);
    const spare = fields.get('spare');
    if (isScalar(spare) && spare.value === true) throw this.#wrong(spare, `${where}.spare`, 'a replay keeps no node back; leave it out');
    this.#add(1, fields.get('gpus') ?? value, `${where}.gpus`);
  }

  #addPool(value: unknown, where: string): void {
    const fields = this.#fields(value, where);
    this.#add(this.#whole(fields.get('count') ?? value, `${where}.count`, nodesMax), fields.get('gpus') ?? value, `${where}.gpus`);
  }

  #add(count: number, node: unknown, where: string): void {
    const gpus = this.#whole(node, where, nodeGpusMax);
    if (this.#nodeGpus !== undefined && this.#nodeGpus !== gpus)
      throw this.#wrong(node, where, `${gpus}, but the nodes before have ${this.#nodeGpus}: a replay takes nodes of one size only`);
    this.#nodeGpus = gpus;
    this.#nodes += count;
  }

  #whole(node: unknown, where: string, max: number): number {
    const value = isScalar(node) ? node.value : undefined;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= max) return value;
    const seen = isScalar(node) ? `${JSON.stringify(value)}: ` : '';
    throw this.#wrong(node, where, `${seen}must be a whole number from 1 to ${max}`);
  }

  #list(node: unknown, where: string): readonly unknown[] {
    if (node === undefined) return [];
    if (isSeq(node)) return node.items;
    throw this.#wrong(node, where, 'must be a list');
  }

  #fields(node: unknown, where: string): ReadonlyMap<string, unknown> {
    if (!isMap(node)) throw this.#wrong(node, where, 'must be a mapping');
    return new Map(node.items.map(({ key, value }) => [isScalar(key) ? String(key.value) : String(key), value]));
  }

  #wrong(node: unknown, where: string, why: string): InputError {
    const line = this.#lines.linePos(startOf(node)).line;
    return new InputError(`${this.#file}:${line}: ${where}: ${why}`);
  }
}

function startOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0;
}

function isNode(value: unknown): value is Node {
  return isMap(value) || isSeq(value) || isScalar(value);
}
