import type { Reservation, ReservationSpec, ReservedNodes, ReservedNodeJob } from '#gen/shoal/v1/reservation_pb.js';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import { formatMap, formatTime } from '../../print/format.ts';
import type { Section } from '../../print/sections.ts';

export function describeReservation({ metadata, spec, status }: Reservation): readonly Section[] {
  const unusedGpuHours = Number(BigInt(status?.unused || '0') / BigInt(gpuMilliPerGpu)) / 3_600_000;
  return [
    {
      kind: 'facts',
      facts: [
        ['Name', metadata?.name ?? ''],
        ['Labels', formatMap(metadata?.labels ?? {})],
        ['Created', `${formatTime(metadata?.creationTimestamp)} by ${status?.createdBy ?? ''}`],
        ['Kind', spec?.kind ?? ''],
        ['Reason', spec?.reason || '<none>'],
        ['Status', status?.state ?? ''],
        ['From', formatTime(status?.start)],
        ['Until', formatTime(status?.end)],
        ['Repeats', describeRepeat(spec)],
        ['Then', status?.upcoming.map((time) => formatTime(time)).join(', ') || '<none>'],
        ...(spec?.kind === 'use' ? describeUse(spec) : []),
        ['Drain', spec?.drain ?? ''],
        ['Asked for', describeNodes(spec?.nodes)],
        ['Nodes', status?.nodes.join(', ') || '<none>'],
        ['GPUs', `${status?.gpusUsed ?? 0} of ${status?.gpus ?? 0} held`],
        ['Unused', `${unusedGpuHours.toFixed(1)} GPU-hours`],
      ],
    },
    {
      kind: 'table',
      title: 'Jobs on its nodes',
      heads: ['Job', 'User', 'What becomes of it'],
      rows: (status?.jobs ?? []).map((job) => [job.job, job.user, describeFate(job)]),
      empty: 'none',
    },
  ];
}

function describeUse({ users, queues, jobs, lend }: ReservationSpec): readonly (readonly [string, string])[] {
  return [
    ['Users', users.join(', ') || '<none>'],
    ['Queues', queues.join(', ') || '<none>'],
    ['For jobs', jobs.join(', ') || '<none>'],
    ['Lent', lend ? 'yes: preemptible jobs use what is free' : 'no'],
  ];
}

function describeRepeat(spec: ReservationSpec | undefined): string {
  const repeat = spec?.repeat;
  if (repeat === undefined) return 'once';
  const when = repeat.cron === '' ? `every ${repeat.every}` : `cron ${repeat.cron}`;
  return `${when} for ${spec?.duration ?? ''}, ${repeat.timeZone}${repeat.until === '' ? '' : `, until ${repeat.until}`}`;
}

function describeNodes(nodes: ReservedNodes | undefined): string {
  const { names = [], domains = [], labels = {}, count } = nodes ?? {};
  if (count === undefined) return [...names, ...domains].join(', ') || `labels ${formatMap(labels)}`;
  const amount = count.nodes === undefined ? `${count.gpus ?? 0} GPUs` : `${count.nodes} nodes`;
  return `${amount}${count.gpuModel === '' ? '' : ` of ${count.gpuModel}`}${count.level === '' ? '' : ` in one ${count.level}`}`;
}

function describeFate({ fate, at }: ReservedNodeJob): string {
  switch (fate) {
    case 'Entitled':
      return 'stays: it is reserved for it';
    case 'Guest':
      return 'stays until somebody wants it for whom it is reserved';
    case 'EndsBefore':
      return `ends before, by ${formatTime(at)}`;
    case 'ToLeave':
      return `is asked to leave at ${formatTime(at)}`;
    case 'Leaving':
      return 'is leaving';
    default:
      return fate;
  }
}
