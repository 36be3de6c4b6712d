import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { ForecastResponse, JobOutlook, ForecastOutlook } from '#gen/shoal/v1/control_pb.js';
import { oneLine } from '../escapes.ts';
import { formatAge, formatGpus, formatTime } from './format.ts';
import { formatColumns } from './table.ts';

/** When those start and are through that run or wait. */
export function timetable({ before, at, revision, estimates }: ForecastResponse): string {
  const nowMs = at === undefined ? 0 : timestampMs(at);
  const jobs = before?.jobs ?? [];
  if (jobs.length === 0) return `Nobody runs or waits (revision ${revision})\n`;
  const rows = jobs.map((job) => [
    job.name,
    job.queue,
    job.user,
    formatGpus(job.gpuMilli),
    startCell(job, nowMs),
    job.estimate?.p90 === undefined ? '-' : inTime(job.estimate.p90, nowMs),
    inTime(job.end, nowMs),
    oneLine(job.why) || '-',
  ]);
  const table = formatColumns([['JOB', 'QUEUE', 'USER', 'GPUS', 'START', 'START (9 OF 10)', 'END', 'WHY NOT'], ...rows]);
  return `${table}${asOf(revision, at, before)}${qualityText(estimates)}`;
}

/** Nothing before any estimate was held against a start. */
function qualityText(quality: ForecastResponse['estimates']): string {
  if (quality === undefined || quality.told === 0n) return '';
  const { told, withinP90, medianErrorPermille } = quality;
  const error =
    medianErrorPermille === undefined ? '' : `, off by ${(medianErrorPermille / 10).toFixed(0)}% of the wait in the middle case`;
  return `Of ${told} starts that were told before ${((Number(withinP90) * 100) / Number(told)).toFixed(0)}% came by the time of 9 of 10${error}.\n`;
}

/** How it would go instead. `all`: also jobs for which nothing changes. */
export function comparison({ before, after, at, revision, clusterRevision }: ForecastResponse, all: boolean): string {
  if (before === undefined || after === undefined) return '';
  const nowMs = at === undefined ? 0 : timestampMs(at);
  const pairs = pairUp(before.jobs, after.jobs);
  const shown = pairs.filter((pair) => all || isMoved(pair)).sort((left, right) => shiftMs(left) - shiftMs(right));
  const cut = all ? shown : [...shown.slice(0, shownMax), ...shown.slice(Math.max(shownMax, shown.length - shownMax))];
  const rows = cut.map((pair) => rowOf(pair, nowMs));
  const table = rows.length === 0 ? 'For no job that runs or waits anything changes.\n' : formatColumns([heads, ...rows]);
  const more = cut.length < shown.length ? `${shown.length - cut.length} more between them; --all shows them\n` : '';
  const seen = clusterRevision === revision ? '' : ` The cluster has gone on to revision ${clusterRevision} since.`;
  return `${table}${more}\n${summary(pairs, before, after, nowMs)}As of revision ${revision}${at === undefined ? '' : `, ${formatTime(at)}`}.${seen} Nothing was changed.\n`;
}

/** Rows at each end of a long table. */
const shownMax = 20;
const heads = ['JOB', 'QUEUE', 'GPUS', 'START', 'INSTEAD', 'END', 'INSTEAD', 'GAINS'];

interface Pair {
  readonly before: JobOutlook | null;
  readonly after: JobOutlook | null;
}

function pairUp(before: readonly JobOutlook[], after: readonly JobOutlook[]): readonly Pair[] {
  const later = new Map(after.map((job) => [job.name, job]));
  const known = new Set(before.map(({ name }) => name));
  return [
    ...before.map((job): Pair => ({ before: job, after: later.get(job.name) ?? null })),
    ...after.flatMap((job): readonly Pair[] => (known.has(job.name) ? [] : [{ before: null, after: job }])),
  ];
}

/** By how much it is through later, or starts later if neither is; below 0: earlier. Infinity: only before, -Infinity: only after. */
function shiftMs({ before, after }: Pair): number {
  const [was, is] = [momentOf(before), momentOf(after)];
  if (was === is) return 0;
  if (was === null) return -Infinity;
  return is === null ? Infinity : is - was;
}

const momentOf = (job: JobOutlook | null): number | null => {
  const at = job?.end ?? job?.start;
  return at === undefined ? null : timestampMs(at);
};

/** What is moved by less than forecasts are fine is not moved. */
const isMoved = (pair: Pair): boolean =>
  Math.abs(shiftMs(pair)) >= 1_000 || pair.before === null || pair.before.stops !== pair.after?.stops;

function rowOf(pair: Pair, nowMs: number): readonly string[] {
  const { before, after } = pair;
  const job = before ?? after;
  return [
    job?.name ?? '',
    job?.queue ?? '',
    formatGpus(job?.gpuMilli ?? 0n),
    startCell(before, nowMs),
    startCell(after, nowMs),
    inTime(before?.end, nowMs),
    inTime(after?.end, nowMs),
    gainCell(pair),
  ];
}

function gainCell(pair: Pair): string {
  const shift = shiftMs(pair);
  const asked = (pair.after?.stops ?? 0) > (pair.before?.stops ?? 0) ? ', asked to leave' : '';
  if (shift === -Infinity) return `runs${asked}`;
  if (shift === Infinity) return `does not run${asked}`;
  if (Math.abs(shift) < 1_000) return `-${asked}`;
  return `${shift < 0 ? '+' : '-'}${formatAge(Math.abs(shift))}${asked}`;
}

function startCell(job: JobOutlook | null, nowMs: number): string {
  if (job === null) return '-';
  if (job.runs) return 'runs';
  return job.start === undefined ? 'never' : inTime(job.start, nowMs);
}

function inTime(at: JobOutlook['start'], nowMs: number): string {
  return at === undefined ? '-' : timestampMs(at) <= nowMs ? 'now' : `in ${formatAge(timestampMs(at) - nowMs)}`;
}

function summary(pairs: readonly Pair[], before: ForecastOutlook, after: ForecastOutlook, nowMs: number): string {
  const gainers = pairs.filter((pair) => pair.before !== null && shiftMs(pair) <= -1_000);
  const losers = pairs.filter((pair) => pair.before !== null && shiftMs(pair) >= 1_000);
  return formatColumns([
    ['', 'AS IT IS', 'INSTEAD'],
    ['last start', ...[before, after].map(({ lastStart }) => (lastStart === undefined ? 'nobody starts' : inTime(lastStart, nowMs)))],
    ['mean start of those that wait', ...[before, after].map((outlook) => meanStart(outlook, nowMs))],
    ['do not start', ...[before, after].map(({ jobs }) => String(jobs.filter(({ runs, start }) => !runs && start === undefined).length))],
    [
      'GPUs in use until the last start',
      ...[before, after].map(({ usedPermille }) => (usedPermille === undefined ? '-' : `${(usedPermille / 10).toFixed(1)}%`)),
    ],
    ['jobs that gain', '', String(gainers.length)],
    ['jobs that lose', '', String(losers.length)],
    ...(gainers.length === 0 ? [] : [['most gain', '', namesByQueue(gainers)]]),
    ...(losers.length === 0 ? [] : [['most lose', '', namesByQueue(losers)]]),
  ]);
}

function meanStart({ jobs }: ForecastOutlook, nowMs: number): string {
  const waits = jobs.flatMap(({ start }) => (start === undefined ? [] : [Math.max(0, timestampMs(start) - nowMs)]));
  return waits.length === 0 ? '-' : `in ${formatAge(waits.reduce((sum, ms) => sum + ms, 0) / waits.length)}`;
}

/** Queues by how many of the jobs are theirs. */
function namesByQueue(pairs: readonly Pair[]): string {
  const counts = [...Map.groupBy(pairs, ({ before, after }) => (before ?? after)?.queue ?? '')].map(
    ([queue, all]) => [queue, all.length] as const,
  );
  counts.sort(([left, many], [right, more]) => more - many || (left < right ? -1 : 1));
  return counts
    .slice(0, 5)
    .map(([queue, count]) => `${queue} (${count})`)
    .join(', ');
}

function asOf(revision: bigint, at: ForecastResponse['at'], outlook: ForecastOutlook | undefined): string {
  const used =
    outlook?.usedPermille === undefined ? '' : ` ${(outlook.usedPermille / 10).toFixed(1)}% of the GPUs are in use until the last start.`;
  const cut = outlook?.cutAt === undefined ? '' : ` It goes no further than ${formatTime(outlook.cutAt)}.`;
  return `As of revision ${revision}${at === undefined ? '' : `, ${formatTime(at)}`}.${used}${cut}\n`;
}
