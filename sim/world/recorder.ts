/** What the report tells that the state does not keep: every event for people, jobs that were removed, incidents, counts. */
import type { LastPass } from '#core/schedule/explain/explainWait.ts';
import type { StampedEvent } from '#core/events.ts';
import type { JobView, StateView } from '#core/state/view.ts';
import type { StepResult } from '#core/step.ts';
import type { JobUid } from '#vocabulary/ids.ts';

export interface ToldEvent {
  readonly at: number;
  /** `job/a`, `node/n1`, `queue/research`, `cluster`. */
  readonly object: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export interface Incident {
  readonly id: string;
  readonly at: number;
  readonly node: string;
  readonly gpu: number | null;
  readonly verdict: 'gpu' | 'node';
  readonly signals: readonly { readonly source: string; readonly code: number | null; readonly count: number }[];
  readonly remedy: string | null;
  readonly steps: readonly string[];
  resolvedAt: number | null;
}

export class Recorder {
  /** In the order of their creation; removed ones too. */
  readonly jobs = new Map<JobUid, JobView>();
  readonly removedAtMs = new Map<JobUid, number>();
  readonly events: ToldEvent[] = [];
  readonly incidents: Incident[] = [];
  /** What the last pass said. */
  lastPass: LastPass = { waits: new Map(), atMs: 0 };
  /** Scheduling passes. */
  decisions = 0;
  /** Of each, by the wall clock, in milliseconds. */
  readonly decisionMs: number[] = [];
  /** Set for `--trace`. */
  onEvent: ((event: StampedEvent) => void) | null = null;
  /** Set by who measures: after each step, the state as the step left it. */
  onStep: ((state: StateView, result: StepResult, nowMs: number) => void) | null = null;
  readonly #open = new Map<string, Incident>();
  #seenRevision = 0;

  noteStep(state: StateView, result: StepResult, { nowMs, wallMs }: { readonly nowMs: number; readonly wallMs: number }): void {
    if (result.waits !== null) {
      this.lastPass = { waits: result.waits, atMs: nowMs };
      this.decisions += 1;
      this.decisionMs.push(wallMs);
    }
    for (const event of result.events) this.#note(state, event);
    this.#takeTold(state);
    this.onStep?.(state, result, nowMs);
  }

  /** Another controller goes on from what is durable: the records are its own. */
  rebind(state: StateView): void {
    for (const uid of this.jobs.keys()) {
      const job = state.jobs.get(uid);
      if (job !== undefined) this.jobs.set(uid, job);
    }
  }

  /** The core tells more than this; what only the simulator knows is told beside it. */
  warn(at: number, object: string, reason: string, message: string): void {
    this.events.push({ at, object, type: 'Warning', reason, message });
  }

  #note(state: StateView, event: StampedEvent): void {
    this.onEvent?.(event);
    switch (event.kind) {
      case 'JobCreated': {
        const job = state.jobs.get(event.uid);
        if (job !== undefined) this.jobs.set(event.uid, job);
        return;
      }
      case 'JobRemoved':
        this.removedAtMs.set(event.uid, event.atMs);
        return;
      case 'NodeLost':
        return this.#openIncident(event.atMs, { node: event.node, gpu: null, verdict: 'node', source: 'silence', code: null });
      case 'NodeReady':
        return this.#resolve(event.node, null, event.atMs);
      case 'GpuHealthChanged': {
        if (event.healthy) return this.#resolve(event.node, event.gpu, event.atMs);
        const [source = event.code, code] = event.code.split(':');
        return this.#openIncident(event.atMs, {
          node: event.node,
          gpu: event.gpu,
          verdict: 'gpu',
          source,
          code: code === undefined ? null : Number(code),
        });
      }
      default:
        return;
    }
  }

  #openIncident(
    at: number,
    of: Pick<Incident, 'node' | 'gpu' | 'verdict'> & { readonly source: string; readonly code: number | null },
  ): void {
    const { node, gpu, verdict, source, code } = of;
    const id = `inc-${this.incidents.length + 1}`;
    const incident: Incident = {
      id,
      at,
      node,
      gpu,
      verdict,
      signals: [{ source, code, count: 1 }],
      remedy: null,
      steps: [],
      resolvedAt: null,
    };
    this.incidents.push(incident);
    this.#open.set(placeOf(node, gpu), incident);
  }

  #resolve(node: string, gpu: number | null, atMs: number): void {
    const incident = this.#open.get(placeOf(node, gpu));
    if (incident === undefined) return;
    incident.resolvedAt = atMs;
    this.#open.delete(placeOf(node, gpu));
  }

  /** The state keeps the newest ones only. */
  #takeTold(state: StateView): void {
    let first = state.recent.length;
    while (first > 0 && (state.recent[first - 1]?.revision ?? 0) > this.#seenRevision) first -= 1;
    for (const { atMs, objectKind, objectName, type, reason, message } of state.recent.slice(first)) {
      const object =
        { TrainingJob: 'job/', Node: 'node/', Queue: 'queue/', Reservation: 'reservation/', Cluster: '' }[objectKind] + objectName;
      this.events.push({ at: atMs, object, type, reason, message });
    }
    this.#seenRevision = state.revision;
  }
}

const placeOf = (node: string, gpu: number | null): string => `${node}/${gpu ?? ''}`;
