import type { MessageShape } from '@bufbuild/protobuf';
import { create } from '@bufbuild/protobuf';
import type { Policy } from '#core/context.ts';
import type { LastPass } from '#core/schedule/explain/explainWait.ts';
import type { RecentEvent } from '#core/state/recentEvent.ts';
import type { NodeView, StateView, View } from '#core/state/view.ts';
import type { Table } from '#gen/shoal/v1/control_pb.js';
import { ResourceSchema, TableSchema } from '#gen/shoal/v1/control_pb.js';
import type { ObjectReference } from '#gen/shoal/v1/meta_pb.js';
import { RpcError } from '#rpc/rpcError.ts';
import { jobName, nodeName, queueName, reservationName } from '#vocabulary/ids.ts';
import type { ObjectKind } from '../loop/changes.ts';
import type { StartEstimates } from '../forecasts/startEstimates.ts';
import type { Sessions } from '../loop/sessions.ts';
import { jobToWire } from './jobToWire.ts';
import type { NodeSight } from './objectsToWire.ts';
import { eventToWire, gpusToWire, nodeToWire, queueToWire } from './objectsToWire.ts';
import { reservationToWire } from './reservationToWire.ts';
import type { ColumnOf } from './tables.ts';
import { tables } from './tables.ts';

type Resource = MessageShape<typeof ResourceSchema>;

/** Where objects are read from: one committed state and what is known beside it. */
export interface Sight {
  readonly state: StateView;
  readonly lastPass: LastPass;
  readonly sessions: Sessions;
  readonly starts: Pick<StartEstimates, 'of'>;
  readonly nowMs: number;
  readonly policy: Policy;
}

/** Which objects are asked for; empty parts do not narrow. */
export interface Selection {
  readonly kind: ObjectKind;
  readonly names: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Events of this object only. */
  readonly about: ObjectReference | undefined;
}

const objectKinds = Object.keys(tables);

/** Throws INVALID_ARGUMENT for what is no kind that can be read. */
export function parseKind(text: string): ObjectKind {
  if (isObjectKind(text)) return text;
  throw new RpcError('INVALID_ARGUMENT', `kind: "${text}" is none of ${objectKinds.join(', ')}`);
}

const isObjectKind = (text: string): text is ObjectKind => objectKinds.includes(text);

/** In name order; events oldest first. */
export function select(sight: Sight, selection: Selection): readonly Resource[] {
  const wanted = new Set(selection.names);
  return read(sight, selection)
    .filter(
      (resource) =>
        wanted.size === 0 || wanted.has(nameOf(resource)) || (selection.kind === 'Gpu' && wanted.has(nameOf(resource).split('/')[0] ?? '')),
    )
    .filter((resource) => Object.entries(selection.labels).every(([key, value]) => labelsOf(resource)[key] === value));
}

function read(sight: Sight, { kind, names, about }: Selection): readonly Resource[] {
  const { state, lastPass, nowMs } = sight;
  switch (kind) {
    case 'TrainingJob': {
      const named = names.length > 0 ? names : [...state.jobsByName.keys()];
      return [...named].sort().flatMap((name) => {
        const uid = state.jobsByName.get(jobName(name));
        const job = uid === undefined ? undefined : state.jobs.get(uid);
        return job === undefined
          ? []
          : resource({
              case: 'trainingJob',
              value: jobToWire(job, { state, wait: lastPass.waits.get(job.uid), nowMs, start: sight.starts.of(job) }),
            });
      });
    }
    case 'Queue':
      return sorted(state.queues).map((queue) => resource({ case: 'queue', value: queueToWire(state, queue, nowMs) }));
    case 'Reservation':
      return sorted(state.reservations).map((reservation) =>
        resource({ case: 'reservation', value: reservationToWire(sight, reservation) }),
      );
    case 'Node':
      return sorted(state.nodes).map((node) => resource({ case: 'node', value: nodeToWire(state, node, sightOf(sight, node)) }));
    case 'Gpu':
      return sorted(state.nodes).flatMap((node) =>
        gpusToWire(state, node, sightOf(sight, node)).map((value) => resource({ case: 'gpu', value })),
      );
    case 'Event':
      return state.recent.filter((event) => isAbout(event, about)).map((event) => resource({ case: 'event', value: eventToWire(event) }));
  }
}

/** One object, or undefined. */
export function findObject(sight: Sight, kind: ObjectKind, name: string): Resource | undefined {
  const { state } = sight;
  if (kind === 'Node') {
    const node = state.nodes.get(nodeName(name));
    return node === undefined ? undefined : resource({ case: 'node', value: nodeToWire(state, node, sightOf(sight, node)) });
  }
  if (kind === 'Queue') {
    const queue = state.queues.get(queueName(name));
    return queue === undefined ? undefined : resource({ case: 'queue', value: queueToWire(state, queue, sight.nowMs) });
  }
  if (kind === 'Reservation') {
    const found = state.reservations.get(reservationName(name));
    return found === undefined ? undefined : resource({ case: 'reservation', value: reservationToWire(sight, found) });
  }
  return select(sight, { kind, names: [name], labels: {}, about: undefined }).find((one) => nameOf(one) === name);
}

export function tableOf(kind: ObjectKind, resources: readonly Resource[], nowMs: number): Table {
  const columns = tables[kind].map(({ name, priority }) => ({ name, priority }));
  const rows = resources.map((one) => ({ object: { kind, name: nameOf(one) }, cells: cellsOf(one, nowMs) }));
  return create(TableSchema, { columns, rows });
}

function cellsOf({ object }: Resource, nowMs: number): string[] {
  switch (object.case) {
    case 'trainingJob':
      return cells(tables.TrainingJob, object.value, nowMs);
    case 'node':
      return cells(tables.Node, object.value, nowMs);
    case 'gpu':
      return cells(tables.Gpu, object.value, nowMs);
    case 'queue':
      return cells(tables.Queue, object.value, nowMs);
    case 'reservation':
      return cells(tables.Reservation, object.value, nowMs);
    case 'event':
      return cells(tables.Event, object.value, nowMs);
    case 'inferenceService':
    case 'priceBook':
    case undefined:
      return [];
  }
}

function cells<T>(columns: readonly ColumnOf<T>[], object: T, nowMs: number): string[] {
  return columns.map((column) => column.cell(object, nowMs));
}

function resource(object: NonNullable<Parameters<typeof create<typeof ResourceSchema>>[1]>['object']): Resource {
  return create(ResourceSchema, object === undefined ? {} : { object });
}

export const nameOf = ({ object }: Resource): string => object.value?.metadata?.name ?? '';
const labelsOf = ({ object }: Resource): Readonly<Record<string, string>> => object.value?.metadata?.labels ?? {};

function sorted<V extends { readonly name: string }>(map: ReadonlyMap<string, V>): readonly V[] {
  return [...map.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
}

function isAbout(event: View<RecentEvent>, about: ObjectReference | undefined): boolean {
  return about === undefined || (event.objectName === about.name && (about.kind === '' || event.objectKind === about.kind));
}

function sightOf({ sessions, nowMs }: Sight, node: NodeView): NodeSight {
  const lastSeenAtMs = sessions.hasBeenHeard(node.name) ? nowMs - Math.round(sessions.silentMs(node.name)) : null;
  return { connected: sessions.isConnected(node.name), lastSeenAtMs, samples: sessions.samplesOf(node.name) };
}
