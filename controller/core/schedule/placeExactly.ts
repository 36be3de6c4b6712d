import type { NodeName } from '#vocabulary/ids.ts';
import { describeSizes, isAllowedSize } from '#vocabulary/elastic.ts';
import type { JobSpec, WorkerPlace } from '#vocabulary/job.ts';
import { milliPerGpu } from '#vocabulary/job.ts';
import type { GpuInfo } from '#vocabulary/topology.ts';
import { domainKey } from '#vocabulary/topology.ts';
import type { Reply, Request } from '../inputs.ts';
import { freeMilli, isWhollyFree } from '../nodes/holds.ts';
import { isEntitled, mayBeGuest } from '../reservations/mayRun.ts';
import { currentAttempt } from '../state/state.ts';
import type { JobView, NodeView } from '../state/view.ts';
import type { Turn } from '../turn.ts';
import { openRoom } from './clusterRoom.ts';
import { emitPlaced } from './emitPlaced.ts';
import { layMeshAt } from './mesh/layMesh.ts';

/**
 * Places a waiting job where the caller says, and nowhere else: how a scenario sets up a state. Workers are numbered in
 * the order of the places, GPUs are the first free ones. Quota is not asked, since a state may be set up that no pass would make;
 * everything that is a promise is: free and healthy GPUs, one model, the required levels.
 */
export function onPlaceJob(turn: Turn, request: Extract<Request, { kind: 'placeJob' }>): Reply {
  const uid = turn.state.jobsByName.get(request.name);
  const job = uid === undefined ? undefined : turn.state.jobs.get(uid);
  if (job === undefined) return refuse(`job ${request.name} is not there`);
  if (job.phase.kind !== 'pending') return refuse(`job ${request.name} does not wait`);
  const closed = findReserved(
    turn,
    job,
    request.places.map(({ node }) => node),
  );
  if (closed !== null) return refuse(closed);
  const workers = request.places.reduce((sum, place) => sum + place.workers, 0);
  if (!isAllowedSize(job.spec, workers)) return refuse(`${workers} workers are placed; job ${job.name} has ${describeSizes(job.spec)}`);
  for (const model of job.spec.gpusPerWorker === 0 ? [null] : modelsOf(turn, job.spec, request.places)) {
    const placement = findPlaces(turn, job.spec, request.places, model);
    if (placement === null) continue;
    const broken = findBrokenLevel(turn, job.spec, placement);
    if (broken !== null) return refuse(`job ${job.name} must be inside one ${broken}`);
    const cluster = openRoom(turn.state, turn.context);
    emitPlaced(turn, job, { model, ...layMeshAt(cluster, job, { placement, model }, { kind: 'keep' }) });
    return { kind: 'changed', changed: true, jobs: [job.name], uid: job.uid };
  }
  const shape = job.spec.gpuProfile === null ? `${job.spec.gpusPerWorker} GPUs` : `a ${job.spec.gpuProfile} slot`;
  const where = request.places.map((place) => `${place.node} (${describeFree(turn.state.nodes.get(place.node))})`).join(', ');
  return refuse(`workers of ${shape} of one model do not fit on ${where}`);
}

/** A reservation that is under way is a promise, too. */
function findReserved({ state }: Turn, job: JobView, nodes: readonly NodeName[]): string | null {
  for (const name of nodes) {
    const reserved = state.nodes.get(name)?.reserved ?? null;
    const reservation = reserved === null ? undefined : state.reservations.get(reserved.name);
    if (reservation === undefined || isEntitled(state, reservation.spec, job) || mayBeGuest(reservation.spec, job)) continue;
    return `${name} is kept by reservation ${reservation.name}`;
  }
  return null;
}

/** Accepted models that the first node has, in the job's order. */
function modelsOf(turn: Turn, spec: JobSpec, places: readonly { readonly node: NodeName }[]): readonly string[] {
  const first = places[0] === undefined ? undefined : turn.state.nodes.get(places[0].node);
  const present = [...new Set(first?.inventory.gpus.map((gpu) => gpu.model))].sort();
  return spec.gpuModels.length === 0 ? present : spec.gpuModels.filter((model) => present.includes(model));
}

function findPlaces(
  turn: Turn,
  spec: JobSpec,
  places: readonly { readonly node: NodeName; readonly workers: number }[],
  model: string | null,
): readonly WorkerPlace[] | null {
  const placement: WorkerPlace[] = [];
  for (const { node: name, workers } of places) {
    const node = turn.state.nodes.get(name);
    if (node === undefined || node.availability.kind !== 'ready') return null;
    const takeNext = placesOn(turn, node, spec, model);
    for (let worker = 0; worker < workers; worker += 1) {
      const place = takeNext();
      if (place === null) return null;
      placement.push({ node: name, ...place });
    }
  }
  return placement;
}

/** Each call takes what one more worker gets of the node; null: nothing is left for it. */
function placesOn(turn: Turn, node: NodeView, spec: JobSpec, model: string | null): () => Omit<WorkerPlace, 'node'> | null {
  if (spec.gpuProfile === null) {
    const free = model === null ? new Map<number, number>() : freeParts(node, model);
    return () => takeFirst(free, spec);
  }
  const slots = freeSlots(turn, node, spec.gpuProfile, model);
  return () => slots.shift() ?? null;
}

const soundGpus = (node: NodeView, model: string | null): readonly GpuInfo[] =>
  node.inventory.gpus
    .filter((gpu) => gpu.model === model && node.health[gpu.index]?.healthy === true)
    .sort((left, right) => left.index - right.index);

function freeSlots(turn: Turn, node: NodeView, wanted: string, model: string | null): Omit<WorkerPlace, 'node'>[] {
  const held = new Set<string>();
  for (const uid of node.jobs) {
    const job = turn.state.jobs.get(uid);
    const attempt = job === undefined ? undefined : currentAttempt(job);
    for (const place of attempt?.placement ?? []) if (place.node === node.name && place.slot !== undefined) held.add(place.slot);
  }
  return soundGpus(node, model).flatMap(({ index, slots = [] }) =>
    slots.flatMap(({ profile, uuid }) => (profile === wanted && !held.has(uuid) ? [{ gpus: [index], slot: uuid }] : [])),
  );
}

/** Free thousandths of the healthy GPUs of the model that are not divided into slots, by index. */
function freeParts(node: NodeView, model: string): Map<number, number> {
  const sound = soundGpus(node, model).filter((gpu) => gpu.slots === undefined);
  return new Map(sound.map((gpu): [number, number] => [gpu.index, freeMilli(node, gpu.index)]));
}

/** The first GPUs with enough left for one worker, taken out of `free`. */
function takeFirst(free: Map<number, number>, spec: JobSpec): Omit<WorkerPlace, 'node'> | null {
  const milli = milliPerGpu(spec);
  const enough = [...free].filter(([, left]) => left >= milli).slice(0, spec.gpusPerWorker);
  if (enough.length < spec.gpusPerWorker) return null;
  for (const [gpu, left] of enough) free.set(gpu, left - milli);
  return { gpus: enough.map(([gpu]) => gpu) };
}

function findBrokenLevel(turn: Turn, spec: JobSpec, placement: readonly WorkerPlace[]): string | null {
  for (const { level, mode } of spec.constraints) {
    if (mode !== 'required') continue;
    const depth = turn.context.policy.levels.indexOf(level) + 1;
    const domains = placement.map(({ node }) => domainKey([...(turn.state.nodes.get(node)?.inventory.path ?? []), node], depth));
    if (new Set(domains).size > 1) return level;
  }
  return null;
}

function describeFree(node: NodeView | undefined): string {
  if (node === undefined) return 'not there';
  if (node.availability.kind !== 'ready') return node.availability.kind;
  const free = node.inventory.gpus.filter((gpu) => isWhollyFree(node, gpu.index) && node.health[gpu.index]?.healthy === true);
  return `${free.length} of ${node.inventory.gpus.length} GPUs free`;
}

const refuse = (message: string): Reply => ({ kind: 'refused', code: 'FAILED_PRECONDITION', field: 'place', message });
