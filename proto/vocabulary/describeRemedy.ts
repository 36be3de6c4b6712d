import { formatTimestamp } from './timestamp.ts';
import { formatDuration } from './units.ts';
import type { Remedy } from './verdict.ts';

/** A remedy for people and for programs: what it is in words, and how it is done. */
export interface RemedyWords {
  readonly text: string;
  /** Fields of a manifest that is applied again: the job's, or the queue's named by `queue`. */
  readonly changes: readonly FieldChange[];
  /** null: the changes are the job's own. */
  readonly queue: string | null;
  /** What to type; empty: the changes say it. */
  readonly commands: readonly string[];
}

export interface FieldChange {
  /** As in a manifest: `spec.mesh.data`. */
  readonly field: string;
  /** JSON; null: to be left out. */
  readonly value: string | null;
}

/** The only wording of remedies. */
export function describeRemedy(remedy: Remedy, job: string): RemedyWords {
  const { text, ...how } = wordsOf(remedy, job);
  return { text, changes: [], queue: null, commands: [], ...how };
}

type Words = Pick<RemedyWords, 'text'> & Partial<RemedyWords>;

function wordsOf(remedy: Remedy, job: string): Words {
  switch (remedy.kind) {
    case 'FewerWorkers':
      return change(`with ${counted(remedy.workers, 'worker')}${remedy.data === null ? '' : `, the mesh's data axis ${remedy.data}`}`, {
        'spec.workers': remedy.workers,
        ...(remedy.data === null ? {} : { 'spec.mesh.data': remedy.data }),
      });
    case 'FewerGpus':
      return change(
        `with ${counted(remedy.gpusPerWorker, 'GPU')} a worker${remedy.data === null ? '' : `, the mesh's data axis ${remedy.data}`}`,
        {
          'spec.gpusPerWorker': remedy.gpusPerWorker,
          ...(remedy.data === null ? {} : { 'spec.mesh.data': remedy.data }),
        },
      );
    case 'SmallerWorkers':
      return change(`with as many GPUs in ${counted(remedy.workers, 'worker')} of ${remedy.gpusPerWorker}`, {
        'spec.workers': remedy.workers,
        'spec.gpusPerWorker': remedy.gpusPerWorker,
        ...(remedy.segments.length === 0 ? {} : { 'spec.placement.segments': remedy.segments }),
        ...(remedy.spread === null ? {} : { 'spec.placement.spread': remedy.spread }),
      });
    case 'WiderLevel':
      return change(remedy.level === null ? `not inside one ${remedy.from}` : `inside one ${remedy.level} instead of one ${remedy.from}`, {
        'spec.placement.constraints': remedy.constraints.map(({ level, mode, waitMs }) => ({
          level,
          mode,
          ...(waitMs === null ? {} : { wait: formatDuration(waitMs) }),
        })),
      });
    case 'NoSegments':
      return change('without segments', { 'spec.placement.segments': null });
    case 'NoSpread':
      return change('without spread', { 'spec.placement.spread': null });
    case 'NotExclusive':
      return change(`if it does not want each ${remedy.level} for itself`, { 'spec.placement.exclusive': null });
    case 'AnyNode':
      return change('whatever labels its nodes have', { 'spec.placement.nodeSelector': null });
    case 'AvoidNone':
      return change('if it avoids no nodes', { 'spec.placement.avoidNodes': null });
    case 'OtherModel':
      return change(`on ${remedy.model}`, { 'spec.gpuModel': [remedy.model] });
    case 'Deadline':
      return change(`if it is ended by ${formatTimestamp(remedy.atMs)}, before ${listed(remedy.before)} ${have(remedy.before)} the GPUs`, {
        'spec.deadline': formatTimestamp(remedy.atMs),
      });
    case 'StartNow':
      return change('without the time before which it is not to start', { 'spec.notBefore': null });
    case 'NoDependency':
      return change(`without waiting for ${listed(remedy.jobs)}`, { 'spec.after': null });
    case 'Next':
      return { text: `if it goes before ${listed(remedy.before)}, for whom the GPUs are kept`, commands: [`shoal next ${job}`] };
    case 'Release':
      return { text: 'when it is released', commands: [`shoal release ${job}`] };
    case 'Uncordon':
      return {
        text: `with ${remedy.nodes.length === 1 ? 'node' : 'nodes'} ${listed(remedy.nodes)} back`,
        commands: remedy.nodes.map((node) => `shoal uncordon ${node}`),
      };
    case 'QueueLimit':
    case 'UserLimit':
    case 'UserMaxRunning':
    case 'OpenQueue':
      return queueWords(remedy);
  }
}

function queueWords(remedy: Extract<Remedy, { readonly queue: string }>): Words {
  const { queue } = remedy;
  switch (remedy.kind) {
    case 'QueueLimit':
      return {
        ...change(`with a limit of ${remedy.limit} ${remedy.model} for queue ${queue}`, {
          [member('spec.limit', remedy.model)]: remedy.limit,
        }),
        queue,
      };
    case 'UserLimit':
      return {
        ...change(`with a limit of ${remedy.limit} ${remedy.model} for each user of queue ${queue}`, {
          [member('spec.perUser.limit', remedy.model)]: remedy.limit,
        }),
        queue,
      };
    case 'UserMaxRunning':
      return {
        ...change(`with ${counted(remedy.limit, 'running job')} allowed to each user of queue ${queue}`, {
          'spec.perUser.maxRunning': remedy.limit,
        }),
        queue,
      };
    case 'OpenQueue':
      return { ...change(`when queue ${queue} is open again`, { 'spec.hold': false }), queue };
  }
}

function change(text: string, fields: Readonly<Record<string, unknown>>): Words {
  return {
    text,
    changes: Object.entries(fields).map(([field, value]) => ({ field, value: value === null ? null : JSON.stringify(value) })),
  };
}

/** As errors of manifests have it. */
const member = (path: string, key: string): string => (/^[A-Za-z0-9_-]+$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`);

const have = (names: readonly string[]): string => (names.length === 1 ? 'has' : 'have');

export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** Names in a sentence; long lists are cut. */
export function listed(names: readonly string[]): string {
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}
