import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { inventoryToWire, gpuInfoToWire } from '#codec/inventoryWire.ts';
import { queueSpecToWire } from '#codec/queue.ts';
import { capacityMilliOf, queueShare } from '#core/queues/share.ts';
import { queueGpuMilli, withAncestors } from '#core/queues/usage.ts';
import { readTotals } from '#core/ledger/readLedger.ts';
import type { Amounts } from '#core/ledger/amounts.ts';
import { addAmounts, noAmounts } from '#core/ledger/amounts.ts';
import { heldMilli, holdersOf } from '#core/nodes/holds.ts';
import type { RecentEvent } from '#core/state/state.ts';
import { currentAttempt } from '#core/state/state.ts';
import { describeSpareFor } from '#core/state/tell.ts';
import type { JobView, NodeView, QueueView, StateView, View } from '#core/state/view.ts';
import type { EventSchema } from '#gen/shoal/v1/event_pb.js';
import type { GpuSchema, NodeSchema } from '#gen/shoal/v1/node_pb.js';
import type { QueueSchema } from '#gen/shoal/v1/queue_pb.js';
import { queueName } from '#vocabulary/ids.ts';
import { processesOf } from '#vocabulary/job.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { GpuSample } from '#vocabulary/observed.ts';
import { amountsToWire } from './ledgerToWire.ts';

const apiVersion = 'shoal.dev/v1';

/** What is known of a node outside the state, and only while it is connected. */
export interface NodeSight {
  readonly connected: boolean;
  /** null: nothing was heard since this controller started. */
  readonly lastSeenAtMs: number | null;
  readonly samples: readonly GpuSample[];
}

export function nodeToWire(state: StateView, node: NodeView, sight: NodeSight): MessageInitShape<typeof NodeSchema> {
  const { availability } = node;
  return {
    apiVersion,
    kind: 'Node',
    metadata: {
      name: node.name,
      uid: node.name,
      labels: { ...node.labels },
      resourceVersion: BigInt(node.changedAt),
      creationTimestamp: timestampFromMs(node.createdAtMs),
    },
    status: {
      state: { ready: 'Ready', lost: 'Lost', returning: 'Returning' }[availability.kind],
      reason:
        availability.kind === 'lost'
          ? availability.message
          : availability.kind === 'returning'
            ? `ends ${availability.held} workers of old attempts first`
            : '',
      ...cordonToWire(state, node),
      draining: node.jobs.size > 0 && (node.cordon?.drain === true || node.reserved?.purpose === 'maintenance'),
      inventory: inventoryToWire(node.inventory),
      gpusUsed: node.holds.filter((holds) => holds.length > 0).length,
      gpuMilliUsed: heldMilli(node),
      gpusHealthy: node.health.filter((health) => health.healthy).length,
      jobs: [...node.jobs].flatMap((uid) => state.jobs.get(uid)?.name ?? []).sort(),
      spareFor: node.spare === null ? '' : describeSpareFor(state, node.spare),
      connected: sight.connected,
      ...(sight.lastSeenAtMs === null ? {} : { lastSeenAt: timestampFromMs(sight.lastSeenAtMs) }),
      gpus: gpusToWire(state, node, sight),
    },
  };
}

/** Who keeps new work off the node: a person, or else a maintenance that is under way. */
function cordonToWire(
  state: StateView,
  { cordon, reserved }: NodeView,
): Pick<NonNullable<MessageInitShape<typeof NodeSchema>['status']>, 'cordon'> {
  if (cordon !== null) return { cordon: { owner: cordon.by, reason: cordon.reason, at: timestampFromMs(cordon.atMs) } };
  if (reserved?.purpose !== 'maintenance') return {};
  const reason = state.reservations.get(reserved.name)?.spec.reason ?? '';
  return { cordon: { owner: `reservation/${reserved.name}`, reason, at: timestampFromMs(reserved.atMs) } };
}

/** A GPU is an object of its own, named node/index. */
export function gpusToWire(state: StateView, node: NodeView, sight: NodeSight): MessageInitShape<typeof GpuSchema>[] {
  return node.inventory.gpus.map((info) => {
    const health = node.health[info.index];
    const sample = sight.samples.find((one) => one.index === info.index);
    return {
      apiVersion,
      kind: 'Gpu',
      metadata: { name: `${node.name}/${info.index}`, uid: info.uuid, resourceVersion: BigInt(node.changedAt) },
      node: node.name,
      info: gpuInfoToWire(info),
      health: health?.healthy === false ? 'Unhealthy' : 'Healthy',
      healthMessage: [health?.code ?? '', health?.message ?? ''].filter((part) => part !== '').join(' '),
      ...holdersToWire(state, node, info.index),
      ...(sample === undefined
        ? {}
        : {
            sample: {
              utilizationPercent: sample.utilizationPercent,
              memoryUsedBytes: BigInt(sample.memoryUsedBytes),
              powerMilliwatts: sample.powerMilliwatts,
              temperatureCelsius: sample.temperatureCelsius,
            },
          }),
    };
  });
}

function holdersToWire(
  state: StateView,
  node: NodeView,
  gpu: number,
): Pick<MessageInitShape<typeof GpuSchema>, 'job' | 'ranks' | 'holders'> {
  const holders = holdersOf(node, gpu).flatMap(({ job: uid, milli }) => {
    const job = state.jobs.get(uid);
    return job === undefined ? [] : [{ job: job.name, ranks: ranksOn(job, node, gpu), milli, slots: slotsOn(job, node, gpu) }];
  });
  return { job: holders[0]?.job ?? '', ranks: holders[0]?.ranks ?? [], holders };
}

/** Ranks of the job on this GPU: one of a process a GPU, all workers that share it otherwise. */
function ranksOn(job: JobView, node: NodeView, gpu: number): number[] {
  const processes = processesOf(job.spec);
  return (currentAttempt(job)?.placement ?? []).flatMap((place, worker) => {
    if (place.node !== node.name || !place.gpus.includes(gpu)) return [];
    return [processes === 1 ? worker : worker * processes + place.gpus.indexOf(gpu)];
  });
}

/** UUIDs of the slots of this GPU that the job has. */
function slotsOn(job: JobView, node: NodeView, gpu: number): string[] {
  return (currentAttempt(job)?.placement ?? []).flatMap((place) =>
    place.node === node.name && place.gpus.includes(gpu) ? (place.slot ?? []) : [],
  );
}

export function queueToWire(state: StateView, queue: QueueView, nowMs: number): MessageInitShape<typeof QueueSchema> {
  let pending = 0;
  let running = 0;
  for (const job of state.jobs.values()) {
    if (!withAncestors(state.queues, job.spec.queue).includes(queue.name)) continue;
    if (job.phase.kind === 'pending') pending += 1;
    else if (job.phase.kind === 'active') running += 1;
  }
  const capacity = capacityMilliOf(state);
  const used = [...capacity.keys()].flatMap((model) => {
    const gpuMilli = queueGpuMilli(state, queue.name, model);
    return gpuMilli > 0 ? [[model, gpuMilli] as const] : [];
  });
  return {
    apiVersion,
    kind: 'Queue',
    metadata: {
      name: queue.name,
      uid: queue.name,
      labels: { ...queue.labels },
      resourceVersion: BigInt(queue.changedAt),
      creationTimestamp: timestampFromMs(queue.createdAtMs),
    },
    spec: queueSpecToWire(queue.spec),
    status: {
      pending,
      running,
      used: Object.fromEntries(used.map(([model, gpuMilli]) => [model, Math.ceil(gpuMilli / gpuMilliPerGpu)])),
      usedMilli: Object.fromEntries(used),
      // As of the last event: objects are made without a clock.
      share: queueShare(state, queue.name, capacity, state.atMs),
      ledger: amountsToWire(queueTime(state, queue, nowMs)),
    },
  };
}

/** Of the queue and all below it. A queue that was removed is below nobody. */
function queueTime(state: StateView, queue: QueueView, nowMs: number): Amounts {
  const sum = noAmounts();
  for (const [name, amounts] of readTotals(state, 'queue', nowMs))
    if (withAncestors(state.queues, queueName(name)).includes(queue.name)) addAmounts(sum, amounts);
  return sum;
}

export function eventToWire(event: View<RecentEvent>): MessageInitShape<typeof EventSchema> {
  return {
    apiVersion,
    kind: 'Event',
    metadata: {
      name: String(event.revision),
      uid: String(event.revision),
      resourceVersion: BigInt(event.revision),
      creationTimestamp: timestampFromMs(event.atMs),
    },
    object: { kind: event.objectKind, name: event.objectName },
    type: event.type,
    reason: event.reason,
    message: event.message,
    at: timestampFromMs(event.atMs),
  };
}
