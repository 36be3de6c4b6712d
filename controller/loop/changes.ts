import type { StampedEvent } from '#core/events.ts';
import type { StateView } from '#core/state/view.ts';
import type { JobUid, NodeName } from '#vocabulary/ids.ts';

/** Kinds that can be watched. */
export type ObjectKind = 'TrainingJob' | 'Queue' | 'Reservation' | 'Node' | 'Gpu' | 'Event';

/** An object changed at a revision. A GPU is named by its node, an event by its revision. */
export interface Change {
  readonly revision: number;
  readonly kind: ObjectKind;
  readonly name: string;
}

/**
 * Which objects changed lately, so that a watch can resume from a revision without the log. Bounded: who asks for older
 * changes than are kept is told so and lists again.
 */
export class Changes {
  readonly #entries: Change[] = [];
  readonly #max: number;
  /** Changes after this revision are all here. */
  #completeAfter: number;
  /** Whose changed nodes were read, and up to where: after a recovery it is another state with a list of its own. */
  #nodesRead: { readonly list: StateView['changedNodes']; readonly upTo: number } | null = null;

  constructor(max: number, startRevision: number) {
    this.#max = max;
    this.#completeAfter = startRevision;
  }

  /** `state` is the one right after the last of the events. */
  add(state: StateView, events: readonly StampedEvent[]): void {
    const before = state.revision - events.length;
    let revision = before;
    for (const event of events) {
      revision += 1;
      for (const change of changesOf(state, event)) this.#entries.push({ revision, ...change });
      this.#entries.push({ revision, kind: 'Event', name: String(revision) });
    }
    for (const name of this.#changedNodes(state, before))
      this.#entries.push({ revision, kind: 'Node', name }, { revision, kind: 'Gpu', name });
    if (this.#entries.length <= this.#max * 2) return;
    const dropped = this.#entries.splice(0, this.#entries.length - this.#max);
    this.#completeAfter = dropped.at(-1)?.revision ?? this.#completeAfter;
  }

  /** A node changes with every gang that comes to it or leaves it. All are looked at only when there is no list of those that changed. */
  #changedNodes(state: StateView, after: number): readonly NodeName[] {
    const { changedNodes, nodes } = state;
    const listed = this.#nodesRead?.list === changedNodes ? changedNodes.since(this.#nodesRead.upTo) : null;
    this.#nodesRead = { list: changedNodes, upTo: changedNodes.end };
    if (listed !== null) return [...new Set(listed)];
    return [...nodes.values()].filter((node) => node.changedAt > after).map((node) => node.name);
  }

  /** Names of this kind that changed after the revision, each once, oldest change first; null: too old to say. */
  after(revision: number, kind: ObjectKind): readonly string[] | null {
    if (revision < this.#completeAfter) return null;
    let first = this.#entries.length;
    while (first > 0 && (this.#entries[first - 1]?.revision ?? 0) > revision) first -= 1;
    const names = new Set<string>();
    for (const change of this.#entries.slice(first)) if (change.kind === kind) names.add(change.name);
    return [...names];
  }

  get completeAfter(): number {
    return this.#completeAfter;
  }
}

function changesOf(state: StateView, event: StampedEvent): readonly Omit<Change, 'revision'>[] {
  switch (event.kind) {
    case 'ClusterCreated':
    case 'LeaderElected':
    case 'TokenIssued':
    case 'TokenUsed':
    case 'TokenRemoved':
      return [];
    case 'MovesAsked':
      return event.moves.flatMap(({ uid }) => jobOf(state, uid));
    case 'QueueApplied':
    case 'QueueRemoved':
      return [{ kind: 'Queue', name: event.name }];
    case 'ReservationApplied':
    case 'ReservationOpened':
    case 'ReservationClosed':
    case 'ReservationNodesChosen':
    case 'ReservationRemoved':
      return [{ kind: 'Reservation', name: event.name }];
    case 'JobCreated':
    case 'JobRemoved':
      return [{ kind: 'TrainingJob', name: event.name }, ...queueOf(state, event.uid)];
    case 'NodeRegistered':
    case 'NodeLost':
    case 'NodeReturned':
    case 'NodeReady':
    case 'NodeCordoned':
    case 'NodeUncordoned':
    case 'SpareReleased':
    case 'GpuHealthChanged':
      return [];
    case 'StartsTold':
      return event.starts.flatMap(({ uid }) => jobOf(state, uid));
    case 'NodeSpared':
      return event.for.kind === 'job' ? jobOf(state, event.for.uid) : [];
    case 'AttemptPlaced':
    case 'AttemptEnded':
      return [...jobOf(state, event.uid), ...queueOf(state, event.uid)];
    default:
      return jobOf(state, event.uid);
  }
}

function jobOf(state: StateView, uid: JobUid): readonly Omit<Change, 'revision'>[] {
  const job = state.jobs.get(uid);
  return job === undefined ? [] : [{ kind: 'TrainingJob', name: job.name }];
}

function queueOf(state: StateView, uid: JobUid): readonly Omit<Change, 'revision'>[] {
  const job = state.jobs.get(uid);
  return job === undefined ? [] : [{ kind: 'Queue', name: job.spec.queue }];
}
