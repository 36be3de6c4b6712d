import type { WorkerShape } from './capacity/shape.ts';
import type { Hold, NodeFacts } from './capacity/capacity.ts';
import { Capacity } from './capacity/capacity.ts';
import { ClosedNodes } from './closedNodes.ts';
import { devicesAt, devicesOf } from './capacity/devices.ts';
import { Room } from './capacity/room.ts';
import { couldHold } from '../jobs/judgeFit.ts';
import { outlookOf } from './leftover.ts';
import type { JobSpec, Placement } from '#vocabulary/job.ts';
import { deviceModel } from '#vocabulary/gpuProfile.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { Levels } from '#vocabulary/topology.ts';
import type { Context, Policy } from '../context.ts';
import { currentAttempt } from '../state/state.ts';
import type { JobView, NodeView, StateView } from '../state/view.ts';

/**
 * The scheduler's picture of the state, kept from pass to pass: only nodes that changed since are read again. It follows
 * from the state alone and goes with it, so it is neither in the log nor in a snapshot.
 */
export interface ClusterRoom {
  readonly room: Room;
  readonly levels: Levels;
  /** What reservations leave to whom. */
  readonly closed: ClosedNodes;
  /** As the policy's. */
  readonly bandwidths: Policy['bandwidths'];
  /** As many gangs stand across domains of the outermost level as the policy allows: no other may. */
  readonly isCrossingFull: boolean;
  /** The job was placed so in this pass. */
  take(job: JobView, placed: { readonly placement: Placement; readonly model: string | null }): void;
  /** Whether one domain of the level could ever hold the whole gang. */
  couldHold(spec: JobSpec, level: string): boolean;
  /** Ends the pass: all that it placed is taken already. */
  settle(): void;
}

interface Kept {
  room: Room;
  /** Nodes that changed after this position of State.changedNodes are not read yet. */
  asOf: number;
  /** Of State.topologyAt, when the room was made. */
  topologyAt: number;
}

const kept = new WeakMap<StateView, Kept>();

export function openRoom(state: StateView, context: Context): ClusterRoom {
  const { levels, bandwidths, crossZoneJobsMax } = context.policy;
  let known = kept.get(state);
  if (known === undefined || known.topologyAt !== state.topologyAt) {
    known = { room: buildRoom(state, levels), asOf: state.changedNodes.end, topologyAt: state.topologyAt };
    kept.set(state, known);
  } else refresh(state, levels, known);
  const { room } = known;
  room.outlook = outlookOf(state.popular.shapes);
  const cache = known;
  return {
    room,
    levels,
    closed: new ClosedNodes(state, context, room.capacity),
    bandwidths,
    get isCrossingFull() {
      return state.crossing.size >= crossZoneJobsMax;
    },
    take: (job, { placement, model }) => {
      const shape = shapeOf(job.spec, model);
      for (const place of placement) {
        const node = room.capacity.topology.numberOf.get(place.node);
        if (node !== undefined) room.capacity.take(holdOf(job, levels, { node, gpus: devicesAt(room.capacity, node, place) }, shape));
      }
    },
    couldHold: (spec, level) => couldHold(state, levels, spec, level),
    settle: () => {
      cache.asOf = state.changedNodes.end;
    },
  };
}

function buildRoom(state: StateView, levels: Levels): Room {
  const nodes = [...state.nodes.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
  const capacity = Capacity.of(nodes.map(factsOf), levels.length);
  for (const node of nodes) readNode(state, levels, capacity, node);
  return new Room(capacity);
}

function refresh(state: StateView, levels: Levels, known: Kept): void {
  const changed = state.changedNodes.since(known.asOf);
  for (const name of changed === null ? state.nodes.keys() : new Set(changed)) {
    const node = state.nodes.get(name);
    if (node !== undefined) readNode(state, levels, known.room.capacity, node);
  }
  known.asOf = state.changedNodes.end;
}

function readNode(state: StateView, levels: Levels, capacity: Capacity, node: NodeView): void {
  const number = capacity.topology.numberOf.get(node.name);
  if (number !== undefined) capacity.setNode(number, factsOf(node), holdsOn(state, levels, capacity, node));
}

/** A spare takes no work but by those who know of it (spares/). Reservations act by a mask (closedNodes.ts), not here. */
export const takesWork = ({ availability, cordon, spare }: NodeView): boolean =>
  availability.kind === 'ready' && cordon === null && spare === null;

function factsOf(node: NodeView): NodeFacts {
  const { inventory, labels } = node;
  return {
    name: node.name,
    path: inventory.path,
    open: takesWork(node),
    // An agent that cannot tell says 0.
    cpuMilli: inventory.cpuMilli === 0 ? null : inventory.cpuMilli,
    memoryBytes: inventory.memoryBytes === 0 ? null : inventory.memoryBytes,
    labels,
    gpus: devicesOf(inventory, node.health),
  };
}

function holdsOn(state: StateView, levels: Levels, capacity: Capacity, node: NodeView): readonly Hold[] {
  const holds: Hold[] = [];
  const number = capacity.topology.numberOf.get(node.name) ?? 0;
  for (const uid of [...node.jobs].sort()) {
    const job = state.jobs.get(uid);
    const attempt = job === undefined ? undefined : currentAttempt(job);
    if (job === undefined || attempt === undefined) continue;
    const shape = shapeOf(job.spec, attempt.model);
    // A GPU that left the inventory may still be held.
    for (const place of attempt.placement)
      if (place.node === node.name) holds.push(holdOf(job, levels, { node: number, gpus: devicesAt(capacity, number, place) }, shape));
  }
  return holds;
}

function holdOf(job: Pick<JobView, 'uid' | 'spec'>, levels: Levels, place: Pick<Hold, 'node' | 'gpus'>, shape: WorkerShape): Hold {
  const { gpuMilli, cpuMilli, memoryBytes } = shape;
  const { exclusive } = job.spec;
  const hold = { owner: job.uid, ...place, gpuMilli, cpuMilli, memoryBytes };
  return exclusive === null ? hold : { ...hold, exclusiveDepth: levels.indexOf(exclusive) + 1 };
}

/** What one worker of the job needs, on GPUs of this model. A slot is a whole device. */
export function shapeOf(
  spec: Pick<JobSpec, 'gpusPerWorker' | 'gpuShareMilli' | 'gpuProfile' | 'template'>,
  model: string | null,
): WorkerShape {
  return {
    model: spec.gpusPerWorker === 0 || model === null ? null : deviceModel(model, spec.gpuProfile),
    gpus: spec.gpusPerWorker,
    gpuMilli: spec.gpuShareMilli ?? gpuMilliPerGpu,
    cpuMilli: spec.template.cpuMilli ?? 0,
    memoryBytes: spec.template.memoryBytes ?? 0,
  };
}
