import type { JobUid, NodeName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { NodeGroup, NodeWhy } from '#vocabulary/verdict.ts';
import { nodeWhys } from '#vocabulary/verdict.ts';
import type { SpareFor } from '../../events.ts';
import type { NodeView, StateView } from '../../state/view.ts';
import type { Capacity, GpuFacts } from '../capacity/capacity.ts';
import type { WorkerShape } from '../capacity/shape.ts';
import { slotsOn } from '../capacity/shape.ts';
import { withEmptyDomains } from '../gang/exclusive.ts';
import type { GangRequest } from '../gang/gangRequest.ts';
import type { Closed } from '../closedNodes.ts';
import type { Promised } from '../reserve/promises.ts';

/** One node as a worker of the gang sees it. */
export interface JudgedNode {
  readonly node: number;
  /** The GPU model that was looked for. */
  readonly model: string | null;
  readonly name: NodeName;
  readonly why: NodeWhy;
  readonly freeGpus: number;
  /** As in NodeGroup. */
  readonly detail: string;
  /** Workers that it would hold if nobody were there and all of it sound; 0 where it is of the wrong kind. */
  readonly whenEmpty: number;
  /** The same with its sick GPUs sick; 0 for one that takes no work. */
  readonly whenFree: number;
}

export interface Judging {
  readonly state: StateView;
  /** Shows what is in the job's reach; what is promised to those ahead is held by nobody by name. */
  readonly capacity: Capacity;
  readonly request: GangRequest;
  readonly spec: Pick<JobSpec, 'nodeSelector' | 'avoidNodes'>;
  readonly promised: readonly Promised[];
  /** What reservations keep from the job; null: nothing. */
  readonly closed: Closed | null;
}

/** In the order of their numbers. What a node is comes before how it fares, so that a cordoned node of another model is one of another model. */
export function judgeNodes(judging: Judging): readonly JudgedNode[] {
  const { state, capacity, request, promised } = judging;
  const [group] = request.groups;
  if (group === undefined) return [];
  const { shape } = group;
  const asked = withEmptyDomains(capacity, request).allowed?.mask ?? null;
  const keepers = keepersOf(promised);
  const judged: JudgedNode[] = [];
  for (let node = 0; node < capacity.nodes; node += 1) {
    const view = state.nodes.get(capacity.nameOf(node));
    if (view === undefined) continue;
    const kept = (): string => nameKeepers(state, view, keepers.get(node) ?? []);
    judged.push(judgeNode({ judging, shape, node, view, isAsked: asked === null || asked[node] === 1, kept }));
  }
  return judged;
}

interface Asked {
  readonly judging: Judging;
  readonly shape: WorkerShape;
  readonly node: number;
  readonly view: NodeView;
  /** By labels, names, and the wish for empty domains. */
  readonly isAsked: boolean;
  readonly kept: () => string;
}

function judgeNode(asked: Asked): JudgedNode {
  const { judging, shape, node, view } = asked;
  const { capacity } = judging;
  const { gpus } = capacity.factsOf(node);
  const ofModel = gpus.filter(({ model }) => model === shape.model);
  const [why, detail] = judgeKind(asked, ofModel.length) ?? judgeCondition(asked, ofModel);
  const isOfKind = !wrongKinds.has(why);
  const takesWork = isOfKind && why !== 'lost' && why !== 'cordoned';
  return {
    node,
    model: shape.model,
    name: view.name,
    why,
    detail,
    freeGpus: freeGpusOn(capacity, node, shape),
    whenEmpty: isOfKind ? workersOn(shape, ofModel.length) : 0,
    whenFree: takesWork ? workersOn(shape, ofModel.filter(({ healthy }) => healthy).length) : 0,
  };
}

const wrongKinds: ReadonlySet<NodeWhy> = new Set(['avoided', 'labels', 'otherModel', 'tooSmall']);

type Judgement = readonly [why: NodeWhy, detail: string];

/** What keeps the node out whoever is on it; null: nothing. */
function judgeKind({ judging, shape, view }: Asked, gpusOfModel: number): Judgement | null {
  const { avoidNodes, nodeSelector } = judging.spec;
  if (avoidNodes.includes(view.name)) return ['avoided', ''];
  if (Object.entries(nodeSelector).some(([name, value]) => view.labels[name] !== value)) return ['labels', ''];
  if (shape.model === null) return null;
  if (gpusOfModel === 0) return ['otherModel', ''];
  return gpusOfModel < shape.gpus ? ['tooSmall', ''] : null;
}

function reservationsOn(closed: Closed | null, node: number, { name }: NodeView): string {
  if (closed === null || closed.mask[node] === 1) return '';
  return closed.by.flatMap((one) => (one.nodes.includes(name) ? [one.name] : [])).join(', ');
}

function judgeCondition(asked: Asked, ofModel: readonly GpuFacts[]): Judgement {
  const { judging, shape, node, view, isAsked, kept } = asked;
  const { capacity } = judging;
  if (view.availability.kind !== 'ready')
    return ['lost', view.availability.kind === 'lost' ? view.availability.message : 'ends what it held when it was lost'];
  if (view.spare !== null) return ['spare', nameSpare(judging.state, view.spare)];
  if (view.cordon !== null) return ['cordoned', view.cordon.reason === '' ? `by ${view.cordon.by}` : view.cordon.reason];
  const reservedBy = reservationsOn(judging.closed, node, view);
  if (reservedBy !== '') return ['reserved', reservedBy];
  const hasRoom = slotsOn(capacity, node, shape) > 0;
  if (hasRoom && isAsked) return ['fits', ''];
  if (withoutPromises(capacity, node, () => slotsOn(capacity, node, shape)) > 0 && !hasRoom) return ['kept', kept()];
  if (hasRoom) return ['notEmpty', ''];
  if (!capacity.isOpen(node)) return ['exclusive', ''];
  const sick = ofModel.filter(({ index, healthy }) => !healthy && capacity.holdsOf(node).every(({ gpus }) => !gpus.includes(index)));
  if (sick.length > 0 && workersOn(shape, capacity.wholeFree(node, capacity.modelNumber(shape.model ?? '')) + sick.length) > 0)
    return [
      'unhealthy',
      [...new Set(sick.map(({ index, slotOf }) => view.health[slotOf?.gpu ?? index]?.code || 'unhealthy'))].sort().join(', '),
    ];
  if (slotsOn(capacity, node, { ...shape, cpuMilli: 0, memoryBytes: 0 }) > 0) return ['cpuOrMemory', ''];
  return [freeGpusOn(capacity, node, shape) > 0 ? 'tooFewFree' : 'full', ''];
}

/** Workers of the shape on so many whole GPUs. */
function workersOn({ model, gpus, gpuMilli }: WorkerShape, whole: number): number {
  if (model === null || gpus === 0) return Number.POSITIVE_INFINITY;
  return Math.floor(whole / gpus) * Math.floor(gpuMilliPerGpu / gpuMilli);
}

/** Of the wanted model; parts count where parts are wanted. */
function freeGpusOn(capacity: Capacity, node: number, shape: WorkerShape): number {
  if (shape.model === null) return 0;
  const model = capacity.modelNumber(shape.model);
  if (shape.gpuMilli === gpuMilliPerGpu) return capacity.wholeFree(node, model);
  let milli = 0;
  for (let gpu = 0; gpu < capacity.gpusOf(node); gpu += 1) milli += capacity.freeMilli(node, gpu, model);
  return milli / gpuMilliPerGpu;
}

/** What it comes to with all that is only promised on the node given back for a moment. */
function withoutPromises<T>(capacity: Capacity, node: number, look: () => T): T {
  const promises = capacity.holdsOf(node).filter(({ owner }) => owner === null);
  for (const hold of promises) capacity.give(hold);
  const answer = look();
  for (const hold of promises) capacity.take(hold);
  return answer;
}

function keepersOf(promised: readonly Promised[]): ReadonlyMap<number, readonly JobUid[]> {
  const keepers = new Map<number, JobUid[]>();
  for (const { job, spots } of promised) {
    for (const { node } of spots) {
      const known = keepers.get(node) ?? [];
      keepers.set(node, known);
      if (!known.includes(job)) known.push(job);
    }
  }
  return keepers;
}

/** Whom the pass keeps the node for, and those whom the log does. */
function nameKeepers(state: StateView, view: NodeView, promised: readonly JobUid[]): string {
  const uids = new Set([...promised, ...view.promises.map(({ job }) => job)]);
  return [...uids]
    .flatMap((uid) => state.jobs.get(uid)?.name ?? [])
    .sort()
    .join(', ');
}

function nameSpare({ jobs }: StateView, spare: SpareFor): string {
  switch (spare.kind) {
    case 'job':
      return `of job ${jobs.get(spare.uid)?.name ?? spare.uid}`;
    case 'pool':
      return `pool of ${spare.domain}`;
    case 'label':
      return 'by its label';
  }
}

/** Names that one group shows. */
const namesMax = 5;
/** Details that nodes of one kind are told apart by; the rest is one group. */
const detailsMax = 4;

export function groupNodes(judged: readonly JudgedNode[]): readonly NodeGroup[] {
  const groups = Map.groupBy(judged, ({ why }) => why);
  return nodeWhys.flatMap((why) => {
    const byDetail = [...Map.groupBy(groups.get(why) ?? [], ({ detail }) => detail)];
    byDetail.sort(([left, some], [right, others]) => others.length - some.length || (left < right ? -1 : 1));
    const rest = byDetail.slice(detailsMax).flatMap(([, nodes]) => nodes);
    const told = byDetail.slice(0, detailsMax).map(([detail, nodes]) => groupOf(why, detail, nodes));
    return rest.length === 0 ? told : [...told, groupOf(why, '', rest)];
  });
}

function groupOf(why: NodeWhy, detail: string, nodes: readonly JudgedNode[]): NodeGroup {
  const names = nodes.map(({ name }) => name).sort();
  return {
    why,
    detail,
    count: nodes.length,
    freeGpus: nodes.reduce((sum, node) => sum + node.freeGpus, 0),
    names: names.slice(0, namesMax),
  };
}
