import type { Node } from '#gen/shoal/v1/node_pb.js';
import type { Attempt, TrainingJob } from '#gen/shoal/v1/training_job_pb.js';
import { defaultLevels } from '#vocabulary/topology.ts';
import { oneLine } from '../../escapes.ts';
import { formatAge, formatTime, timeMs } from '../../print/format.ts';

type Line = readonly [title: string, text: string];

/** Why a job is where it is: of one that waits what the server says, of others what is known of them. */
export function formatWhy(job: TrainingJob, nodes: readonly Node[], nowMs: number): string {
  const { metadata, spec, status } = job;
  const place = `queue ${spec?.queue || 'default'}, user ${status?.user || '-'}, priority ${spec?.priority ?? 20}`;
  const lines: Line[] = [['Job', `${metadata?.name ?? ''} (${place})`], ...phaseLines(job, nodes, nowMs)];
  const width = Math.max(...lines.map(([title]) => title.length)) + 4;
  let before = '';
  return lines
    .map(([title, text]) => {
      const shown = title === before ? '' : `${title}:`;
      before = title;
      return `${shown.padEnd(width)}${oneLine(text)}\n`;
    })
    .join('');
}

function phaseLines(job: TrainingJob, nodes: readonly Node[], nowMs: number): readonly Line[] {
  const { status } = job;
  const verdict = status?.verdict;
  if (verdict !== undefined) {
    const since = verdict.since === undefined ? '' : ` for ${formatAge(nowMs - timeMs(verdict.since))}`;
    return [['Phase', `Pending${since}`], ...verdict.lines.map(({ title, text }): Line => [title, text]), ...pastLines(job)];
  }
  switch (status?.phase) {
    case 'Starting':
    case 'Running':
    case 'Suspending':
    case 'Stopping':
      return [...activeLines(job, nodes, nowMs), ...pastLines(job)];
    case 'Succeeded':
    case 'Failed':
      return [['Phase', `${status.phase} at ${formatTime(status.finishedAt)}`], ...reasonLines(job, 'Because'), ...pastLines(job)];
    default:
      return [['Phase', status?.phase ?? ''], ...reasonLines(job, 'Because'), ...pastLines(job)];
  }
}

function activeLines(job: TrainingJob, nodes: readonly Node[], nowMs: number): readonly Line[] {
  const { spec, status } = job;
  const attempt = status?.attempts.at(-1);
  const age = (since: Attempt['placedAt']): string => (since === undefined ? '?' : formatAge(nowMs - timeMs(since)));
  const past = attempt?.startedAt === undefined ? `was placed ${age(attempt?.placedAt)} ago` : `has run for ${age(attempt.startedAt)}`;
  const bounds = [
    ...(spec?.maxRuntime ? [`maxRuntime ${spec.maxRuntime}`] : []),
    ...(spec?.deadline ? [`deadline ${spec.deadline}`] : []),
    spec?.preemptible === false ? 'nobody may ask it to leave (preemptible: false)' : 'others may ask it to leave (preemptible)',
  ];
  return [
    ['Phase', `${status?.phase ?? ''}; attempt ${attempt?.number ?? 1} ${past}`],
    ...reasonLines(job, 'Because'),
    [
      'Stands on',
      `${standsOn(nodes)}${(status?.attempts.length ?? 1) > 1 || nodes.length === 0 ? '' : ', the smallest domain that held all of it when it was placed'}`,
    ],
    ['Leaves', bounds.join(', ')],
  ];
}

/** The nodes, and the innermost domain that is around them all. */
function standsOn(nodes: readonly Node[]): string {
  const names = nodes.map((node) => node.metadata?.name ?? '').sort();
  if (names.length === 0) return 'no node yet';
  if (names.length === 1) return `node ${names[0]}`;
  const paths = nodes.map((node) => node.status?.inventory?.path ?? []);
  const [first = []] = paths;
  const end = first.findIndex((domain, depth) => paths.some((path) => path[depth] !== domain));
  const shared = end === -1 ? first.length : end;
  const domain =
    shared === 0
      ? 'inside no domain of any level but the cluster'
      : `inside ${defaultLevels[shared - 1] ?? `level ${shared}`} ${first[shared - 1]}`;
  const shown = names.length <= 8 ? names.join(', ') : `${names.slice(0, 8).join(', ')} and ${names.length - 8} more`;
  return `${names.length} nodes: ${shown}; ${domain}`;
}

function reasonLines({ status }: TrainingJob, title: string): readonly Line[] {
  const text = [status?.reason ?? '', status?.message ?? ''].filter((each) => each !== '').join(': ');
  return text === '' ? [] : [[title, text]];
}

/** Why it had to begin again, the last time. */
function pastLines({ status }: TrainingJob): readonly Line[] {
  const ended = (status?.attempts ?? []).filter(({ endedAt }) => endedAt !== undefined);
  const last = ended.at(-1);
  const isTold = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  return last === undefined || isTold ? [] : [['Before', pastText(last)]];
}

function pastText({ number, endedAt, stopReasons, message, chargedToUser, lastCheckpointStep }: Attempt): string {
  const why = [stopReasons.join(', '), message].filter((each) => each !== '').join(': ');
  const saved = lastCheckpointStep === 0n ? 'nothing was saved' : `saved at step ${lastCheckpointStep}`;
  return `attempt ${number} ended at ${formatTime(endedAt)}: ${why} (${chargedToUser ? 'charged' : 'not charged'}; ${saved})`;
}
