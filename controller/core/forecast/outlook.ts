import type { JobName, JobUid, QueueName, UserName } from '#vocabulary/ids.ts';
import { milliPerGpu } from '#vocabulary/job.ts';
import { describeWait } from '#vocabulary/reasons.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { ToldStart } from '../learn/startErrors.ts';
import { tellStart } from '../learn/startErrors.ts';
import type { JobView, StateView } from '../state/view.ts';
import type { Forecast } from './forecast.ts';

/** What is expected of a cluster: when its jobs start and are through. Plain data, as it is told. */
export interface Outlook {
  /** Those that run or wait, in the order in which they start; then by name. */
  readonly jobs: readonly JobOutlook[];
  /** When the last of those that ever start has started; null: nobody does. */
  readonly lastStartMs: number | null;
  /** Share of the GPUs that jobs hold until then, in thousandths; of those that take work. null: nobody waited. */
  readonly usedPermille: number | null;
  /** It goes no further than this, and somebody may have started after it; null: it is whole. */
  readonly cutAtMs: number | null;
}

export interface JobOutlook {
  readonly uid: JobUid;
  readonly name: JobName;
  readonly queue: QueueName;
  readonly user: UserName;
  readonly gpuMilli: number;
  /** It has a place already. */
  readonly runs: boolean;
  /** When it starts; null: it runs already, or does not start. */
  readonly startMs: number | null;
  /** What is told of that; null: it runs already, or does not start. */
  readonly told: ToldStart | null;
  /** When it is through; null: not within the forecast. */
  readonly endMs: number | null;
  /** How often it is asked to leave. */
  readonly stops: number;
  /** Why it does not start; empty: it does. */
  readonly why: string;
}

/** A cluster as a forecast found it. */
export interface Begun {
  readonly running: ReadonlySet<JobUid>;
  readonly atMs: number;
  readonly errors: { readonly ratios: StateView['startErrors']['ratios'] };
}

/** Of a forecast that was played to its end. */
export function outlookOf(forecast: Forecast, before: Begun): Outlook {
  const jobs = [...forecast.state.jobs.values()].flatMap((job) => outlookOfJob(forecast, job, before) ?? []);
  const { lastStart } = forecast;
  return {
    jobs: jobs.sort(compareStarts),
    lastStartMs: lastStart?.atMs ?? null,
    usedPermille: lastStart === null ? null : usedPermille(forecast.state, lastStart.usedMilliMs, lastStart.atMs - before.atMs),
    cutAtMs: forecast.isCut ? forecast.nowMs : null,
  };
}

function outlookOfJob(forecast: Forecast, job: JobView, { running, atMs, errors }: Begun): JobOutlook | null {
  const { uid, name, user, spec } = job;
  const played = forecast.played.get(uid);
  const runs = running.has(uid);
  if (played === undefined && !runs && job.phase.kind !== 'pending') return null;
  const { startMs = null, endMs = null, stops = 0 } = played ?? {};
  const why = job.phase.kind === 'pending' && startMs === null && !runs ? whyNot(forecast, job) : '';
  const gpuMilli = spec.workers * spec.gpusPerWorker * milliPerGpu(spec);
  const told = startMs === null ? null : tellStart(errors, atMs, startMs);
  return { uid, name, user, queue: spec.queue, gpuMilli, runs, startMs, told, endMs: endMs ?? forecast.endMs(uid), stops, why };
}

function whyNot(forecast: Forecast, { uid }: JobView): string {
  const wait = forecast.waits.get(uid);
  return wait === undefined ? 'not looked at' : describeWait(wait);
}

function usedPermille(state: StateView, usedMilliMs: number, elapsedMs: number): number | null {
  const openMilli = openGpus(state) * gpuMilliPerGpu;
  return elapsedMs === 0 || openMilli === 0 ? null : Math.min(1_000, Math.round((usedMilliMs / elapsedMs / openMilli) * 1_000));
}

/** GPUs that are well, on nodes that take work. */
function openGpus(state: StateView): number {
  let gpus = 0;
  for (const { availability, cordon, inventory, health } of state.nodes.values())
    if (availability.kind === 'ready' && cordon === null)
      for (const { index } of inventory.gpus) if (health[index]?.healthy === true) gpus += 1;
  return gpus;
}

function compareStarts(left: JobOutlook, right: JobOutlook): number {
  const [leftMs, rightMs] = [left, right].map(({ runs, startMs }) => (runs ? -1 : (startMs ?? Infinity)));
  if (leftMs !== rightMs && leftMs !== undefined && rightMs !== undefined) return leftMs < rightMs ? -1 : 1;
  return left.name < right.name ? -1 : 1;
}
