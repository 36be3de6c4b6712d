import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { Timestamp } from '@bufbuild/protobuf/wkt';
import type { Event } from '#gen/shoal/v1/event_pb.js';
import type { Gpu, GpuHolder, Node } from '#gen/shoal/v1/node_pb.js';
import type { Queue } from '#gen/shoal/v1/queue_pb.js';
import type { Reservation } from '#gen/shoal/v1/reservation_pb.js';
import type { TrainingJob } from '#gen/shoal/v1/training_job_pb.js';
import { formatTimestamp } from '#vocabulary/timestamp.ts';
import { gpuMilliPerGpu, parseQuantityMilli } from '#vocabulary/units.ts';
import type { ObjectKind } from '../loop/changes.ts';

/**
 * What `get` shows, made by the server: an older client prints a newer server's columns. Priority 0 is always shown,
 * 1 with `-o wide`. Cells are text; a dash-free empty cell prints as `<none>` as kubectl does.
 */
export interface ColumnOf<T> {
  readonly name: string;
  readonly priority: 0 | 1;
  readonly cell: (object: T, nowMs: number) => string;
}

const jobColumns: readonly ColumnOf<TrainingJob>[] = [
  column('NAME', 0, (job) => job.metadata?.name ?? ''),
  column('QUEUE', 0, (job) => job.spec?.queue ?? ''),
  column('STATUS', 0, jobStatus),
  column('GPUS', 0, jobGpus),
  column(
    'READY',
    0,
    (job) => `${job.status?.ranks.filter((rank) => rank.state === 'Running').length ?? 0}/${job.status?.ranks.length ?? 0}`,
  ),
  column('PRI', 0, (job) => String(job.spec?.priority ?? '')),
  column('RESTARTS', 0, (job) => String((job.status?.restarts?.application ?? 0) + (job.status?.restarts?.infrastructure ?? 0))),
  column('STEP', 0, (job) => (job.status?.progress === undefined ? '' : String(job.status.progress.step))),
  column('AGE', 0, (job, nowMs) => age(job.metadata?.creationTimestamp, nowMs)),
  column('USER', 1, (job) => job.status?.user ?? ''),
  column('NODES', 1, (job) => [...new Set(job.status?.ranks.map((rank) => rank.node))].join(',')),
  column('LOSS', 1, (job) => job.status?.progress?.loss?.toFixed(4) ?? ''),
  column('CHECKPOINT', 1, (job) => (job.status?.checkpoint === undefined ? '' : `step ${job.status.checkpoint.step}`)),
  column('ATTEMPT', 1, (job) => String(job.status?.attempts.at(-1)?.number ?? '')),
  column('REASON', 1, (job) => job.status?.reason ?? ''),
];

const nodeColumns: readonly ColumnOf<Node>[] = [
  column('NAME', 0, (node) => node.metadata?.name ?? ''),
  column('STATUS', 0, nodeStatus),
  column('GPUS', 0, (node) => `${(node.status?.gpuMilliUsed ?? 0) / 1000}/${node.status?.gpus.length ?? 0}`),
  column('HEALTH', 0, (node) =>
    node.status?.gpusHealthy === node.status?.gpus.length
      ? 'ok'
      : `${(node.status?.gpus.length ?? 0) - (node.status?.gpusHealthy ?? 0)} bad`,
  ),
  column('JOBS', 0, (node) => node.status?.jobs.join(',') ?? ''),
  column('AGE', 0, (node, nowMs) => age(node.metadata?.creationTimestamp, nowMs)),
  column('VERSION', 0, (node) => node.status?.inventory?.agentVersion ?? ''),
  column('TOPOLOGY', 1, (node) => node.status?.inventory?.path.join('/') ?? ''),
  column('MODEL', 1, (node) => [...new Set(node.status?.gpus.map((gpu) => gpu.info?.model ?? ''))].join(',')),
  column('CPU', 1, (node) => String((node.status?.inventory?.cpuMilli ?? 0) / 1000)),
  column('MEMORY', 1, (node) => gibibytes(node.status?.inventory?.memoryBytes ?? 0n)),
  column('ADDRESS', 1, (node) => node.status?.inventory?.address ?? ''),
  column('HEARTBEAT', 1, (node, nowMs) => age(node.status?.lastSeenAt, nowMs)),
  column('REASON', 1, (node) => node.status?.cordon?.reason || (node.status?.reason ?? '')),
];

const gpuColumns: readonly ColumnOf<Gpu>[] = [
  column('NODE', 0, (gpu) => gpu.node),
  column('IDX', 0, (gpu) => String(gpu.info?.index ?? '')),
  column('MODEL', 0, printModel),
  column('UTIL', 0, (gpu) => (gpu.sample === undefined ? '' : `${gpu.sample.utilizationPercent}%`)),
  column('MEM', 0, (gpu) =>
    gpu.sample === undefined ? '' : `${gibibytes(gpu.sample.memoryUsedBytes)}/${gibibytes(gpu.info?.memoryBytes ?? 0n)}`,
  ),
  column('POWER', 0, (gpu) => (gpu.sample === undefined ? '' : `${Math.round(gpu.sample.powerMilliwatts / 1000)}W`)),
  column('TEMP', 0, (gpu) => (gpu.sample === undefined ? '' : `${gpu.sample.temperatureCelsius}C`)),
  column('HEALTH', 0, (gpu) => gpu.health),
  column('JOB', 0, (gpu) => gpu.holders.map(printHolder).join(',')),
  column('RANK', 0, (gpu) => gpu.holders.flatMap(({ ranks }) => ranks).join(',')),
  column('UUID', 1, (gpu) => gpu.info?.uuid ?? ''),
  column('PCI', 1, (gpu) => gpu.info?.pciBusId ?? ''),
  column('NUMA', 1, (gpu) => String(gpu.info?.numaNode ?? '')),
  column('NVLINK', 1, (gpu) => String(gpu.info?.nvlinkDomain ?? '')),
  column('REASON', 1, (gpu) => gpu.healthMessage),
];

/** `H100`, or `H100 (1g.10gb 3/7)` when it is divided: of each profile the slots that somebody has. */
function printModel({ info, holders }: Gpu): string {
  const held = new Set(holders.flatMap(({ slots }) => slots));
  const parts = [...Map.groupBy(info?.slots ?? [], ({ profile }) => profile)].map(
    ([profile, slots]) => `${profile} ${slots.filter(({ uuid }) => held.has(uuid)).length}/${slots.length}`,
  );
  return parts.length === 0 ? (info?.model ?? '') : `${info?.model ?? ''} (${parts.join(', ')})`;
}

/** `chat`, or `chat(300m)` when it holds a part. */
const printHolder = ({ job, milli }: GpuHolder): string => (milli === 1000 ? job : `${job}(${milli}m)`);

const queueColumns: readonly ColumnOf<Queue>[] = [
  column('NAME', 0, (queue) => queue.metadata?.name ?? ''),
  column('PARENT', 0, (queue) => queue.spec?.parent ?? ''),
  column('PENDING', 0, (queue) => String(queue.status?.pending ?? 0)),
  column('RUNNING', 0, (queue) => String(queue.status?.running ?? 0)),
  column('GPUS', 0, queueGpus),
  column('GUARANTEED', 0, (queue) => queueAmounts(queue.spec?.guaranteed ?? {})),
  column('WEIGHT', 0, (queue) => String(queue.spec?.weight ?? 1)),
  column('SHARE', 0, (queue) => (queue.status?.share ?? 0).toFixed(3)),
  column('STATUS', 0, (queue) => (queue.spec?.hold === true ? 'Held' : 'Open')),
  column('AGE', 0, (queue, nowMs) => age(queue.metadata?.creationTimestamp, nowMs)),
  column('CLASS', 1, (queue) => queue.spec?.class || 'batch'),
  column('HALF-LIFE', 1, (queue) => queue.spec?.halfLife ?? ''),
];

const reservationColumns: readonly ColumnOf<Reservation>[] = [
  column('NAME', 0, (reservation) => reservation.metadata?.name ?? ''),
  column('KIND', 0, (reservation) => reservation.spec?.kind ?? ''),
  column('STATUS', 0, (reservation) => reservation.status?.state ?? ''),
  column('START', 0, (reservation) => timeOf(reservation.status?.start)),
  column('END', 0, (reservation) => timeOf(reservation.status?.end)),
  column('REPEAT', 0, (reservation) => reservation.spec?.repeat?.cron || (reservation.spec?.repeat?.every ?? '')),
  column('NODES', 0, (reservation) => String(reservation.status?.nodes.length ?? 0)),
  column('GPUS', 0, ({ status }) => `${status?.gpusUsed ?? 0}/${status?.gpus ?? 0}`),
  column('FOR', 0, reservationHolders),
  column('AGE', 1, (reservation, nowMs) => age(reservation.metadata?.creationTimestamp, nowMs)),
  column('BY', 1, (reservation) => reservation.status?.createdBy ?? ''),
  column('REASON', 1, (reservation) => reservation.spec?.reason ?? ''),
];

const timeOf = (time: Timestamp | undefined): string => (time === undefined ? '' : formatTimestamp(timestampMs(time)));

function reservationHolders({ spec }: Reservation): string {
  const named = (kind: string, names: readonly string[] = []): readonly string[] => names.map((name) => `${kind}/${name}`);
  return [...named('user', spec?.users), ...named('queue', spec?.queues), ...named('job', spec?.jobs)].join(',');
}

const eventColumns: readonly ColumnOf<Event>[] = [
  column('LAST SEEN', 0, (event, nowMs) => age(event.at, nowMs)),
  column('TYPE', 0, (event) => event.type),
  column('REASON', 0, (event) => event.reason),
  column('OBJECT', 0, (event) => `${objectPrefix(event.object?.kind ?? '')}/${event.object?.name ?? ''}`),
  column('MESSAGE', 0, (event) => event.message),
];

export const tables = {
  TrainingJob: jobColumns,
  Node: nodeColumns,
  Gpu: gpuColumns,
  Queue: queueColumns,
  Reservation: reservationColumns,
  Event: eventColumns,
} satisfies Record<ObjectKind, unknown>;

function column<T>(name: string, priority: 0 | 1, cell: (object: T, nowMs: number) => string): ColumnOf<T> {
  return { name, priority, cell };
}

function jobGpus({ spec, status }: TrainingJob): string {
  const shareMilli = parseQuantityMilli(spec?.gpuShare ?? '');
  // Of one that runs, as many as it has now.
  const workers = status?.workers || (spec?.workers ?? 0);
  if (spec !== undefined && spec.gpuProfile !== '') return `${workers} x ${spec.gpuProfile}`;
  return shareMilli === undefined ? String(workers * (spec?.gpusPerWorker ?? 0)) : String((workers * shareMilli) / gpuMilliPerGpu);
}

function jobStatus(job: TrainingJob): string {
  const phase = job.status?.phase ?? '';
  const word = job.status?.deleting === true ? 'Terminating' : phase;
  return phase === 'Pending' || phase === 'Failed' || phase === 'Stopping' ? `${word}(${job.status?.reason ?? ''})` : word;
}

function nodeStatus(node: Node): string {
  const { status } = node;
  const words = [status?.state === 'Lost' ? 'NotReady' : (status?.state ?? '')];
  if (status?.draining === true) words.push('Draining');
  if (status?.cordon !== undefined) words.push('SchedulingDisabled');
  if ((status?.spareFor ?? '') !== '') words.push('Spare');
  return words.join(',');
}

function queueGpus({ spec, status }: Queue): string {
  const models = new Set([...Object.keys(status?.usedMilli ?? {}), ...Object.keys(spec?.limit ?? {})]);
  return [...models]
    .sort()
    .map((model) => `${model} ${(status?.usedMilli[model] ?? 0) / gpuMilliPerGpu}/${spec?.limit[model] ?? 'unlimited'}`)
    .join(', ');
}

function queueAmounts(amounts: Readonly<Record<string, number>>): string {
  return Object.keys(amounts)
    .sort()
    .map((model) => `${model} ${amounts[model]}`)
    .join(', ');
}

function objectPrefix(kind: string): string {
  return { TrainingJob: 'job', Node: 'node', Queue: 'queue', Reservation: 'reservation' }[kind] ?? kind.toLowerCase();
}

const gibibytes = (bytes: bigint): string => `${Math.round(Number(bytes) / 2 ** 30)}Gi`;

/** As kubectl writes ages: 45s, 12m, 5h3m, 5d3h. */
function age(since: Timestamp | undefined, nowMs: number): string {
  if (since === undefined) return '';
  const seconds = Math.max(0, Math.floor((nowMs - timestampMs(since)) / 1000));
  const [minutes, hours, days] = [Math.floor(seconds / 60), Math.floor(seconds / 3600), Math.floor(seconds / 86_400)];
  if (seconds < 120) return `${seconds}s`;
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`;
  if (hours < 3) return `${minutes}m`;
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  if (hours < 48) return `${hours}h`;
  return days < 8 && hours % 24 !== 0 ? `${days}d${hours % 24}h` : `${days}d`;
}
