import type { NodeName } from '#vocabulary/ids.ts';
import type { JobSpec, WorkerPlace } from '#vocabulary/job.ts';
import { milliPerGpu } from '#vocabulary/job.ts';
import { domainKey } from '#vocabulary/topology.ts';
import type { Reply, Request } from '../inputs.ts';
import { freeMilli, isWhollyFree } from '../nodes/holds.ts';
import type { NodeView } from '../state/view.ts';
import type { Turn } from '../turn.ts';
import { emitPlaced } from './emitPlaced.ts';

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
  const workers = request.places.reduce((sum, place) => sum + place.workers, 0);
  if (workers !== job.spec.workers) return refuse(`${workers} workers are placed; job ${job.name} has ${job.spec.workers}`);
  for (const model of job.spec.gpusPerWorker === 0 ? [null] : modelsOf(turn, job.spec, request.places)) {
    const placement = findPlaces(turn, job.spec, request.places, model);
    if (placement === null) continue;
    const broken = findBrokenLevel(turn, job.spec, placement);
    if (broken !== null) return refuse(`job ${job.name} must be inside one ${broken}`);
    emitPlaced(turn, job, placement, model);
    return { kind: 'changed', changed: true, jobs: [job.name], uid: job.uid };
  }
  const shape = `${job.spec.gpusPerWorker} GPUs`;
  const where = request.places.map((place) => `${place.node} (${describeFree(turn.state.nodes.get(place.node))})`).join(', ');
  return refuse(`workers of ${shape} of one model do not fit on ${where}`);
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
    const free = model === null ? new Map<number, number>() : freeParts(node, model);
    for (let worker = 0; worker < workers; worker += 1) {
      const gpus = takeFirst(free, spec);
      if (gpus === null) return null;
      placement.push({ node: name, gpus });
    }
  }
  return placement;
}

/** Free thousandths of the healthy GPUs of the model, by index. */
function freeParts(node: NodeView, model: string): Map<number, number> {
  const sound = node.inventory.gpus.filter((gpu) => gpu.model === model && node.health[gpu.index]?.healthy === true);
  return new Map(sound.map((gpu): [number, number] => [gpu.index, freeMilli(node, gpu.index)]).sort(([left], [right]) => left - right));
}

/** The first GPUs with enough left for one worker, taken out of `free`. */
function takeFirst(free: Map<number, number>, spec: JobSpec): readonly number[] | null {
  const milli = milliPerGpu(spec);
  const enough = [...free].filter(([, left]) => left >= milli).slice(0, spec.gpusPerWorker);
  if (enough.length < spec.gpusPerWorker) return null;
  for (const [gpu, left] of enough) free.set(gpu, left - milli);
  return enough.map(([gpu]) => gpu);
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
