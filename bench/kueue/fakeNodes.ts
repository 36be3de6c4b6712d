import type { StampedEvent } from '#core/events.ts';
import type { Input } from '#core/inputs.ts';
import type { StateView } from '#core/state/view.ts';
import type { JobUid, NodeName } from '#vocabulary/ids.ts';
import { epoch, nodeName } from '#vocabulary/ids.ts';
import { workerKey, type Placement } from '#vocabulary/job.ts';
import type { ObservedWorker, WorkerState } from '#vocabulary/observed.ts';
import { protocolVersion } from '#vocabulary/session.ts';

export const gpuModel = 'H100';
const gpusPerNode = 8;

interface FakeAttempt {
  readonly number: number;
  readonly placement: Placement;
  state: WorkerState;
  exitCode: number | null;
}

/**
 * Agents that start and end workers at once, as Kueue's runner only marks its workloads; they keep to the protocol, with
 * whole reports of nodes that changed. What the core decided reaches them through its events.
 */
export class FakeNodes {
  readonly #attempts = new Map<JobUid, FakeAttempt>();
  readonly #onNode = new Map<NodeName, Map<string, { readonly job: JobUid; readonly worker: number }>>();
  readonly #changed = new Set<NodeName>();
  #sequence = 0;

  static hellos(nodes: number, nodesPerRack: number): readonly Input[] {
    return Array.from({ length: nodes }, (_, index) => helloOf(index, Math.floor(index / nodesPerRack)));
  }

  take(event: StampedEvent): void {
    if (event.kind === 'AttemptPlaced') this.#start(event.uid, event.attempt, event.placement);
    else if (event.kind === 'SuspendStaged' || event.kind === 'AttemptStopping')
      this.#set(event.uid, { kind: 'ended', reason: 'killed', message: '' }, null);
    else if (event.kind === 'AttemptEnded') this.#forget(event.uid);
  }

  /** The job has run as long as it had to; false: that attempt runs no more. */
  finish(job: JobUid, number: number): boolean {
    const attempt = this.#attempts.get(job);
    if (attempt?.number !== number || attempt.state.kind === 'ended') return false;
    this.#set(job, { kind: 'ended', reason: 'exited', message: '' }, 0);
    return true;
  }

  /** Of every node that changed since the last call, by name. */
  reports(state: StateView): readonly Input[] {
    const changed = [...this.#changed].sort();
    this.#changed.clear();
    return changed.flatMap((node): readonly Input[] => {
      const generation = state.nodes.get(node)?.generation;
      if (generation === undefined) return [];
      this.#sequence += 1;
      return [
        {
          kind: 'report',
          node,
          report: { sequence: this.#sequence, generation, workers: this.#observe(node), gpuHealth: health, samples: [] },
        },
      ];
    });
  }

  #start(job: JobUid, number: number, placement: Placement): void {
    this.#attempts.set(job, { number, placement, state: { kind: 'running' }, exitCode: null });
    for (const [worker, { node }] of placement.entries()) {
      const there = this.#onNode.get(node) ?? new Map<string, { readonly job: JobUid; readonly worker: number }>();
      this.#onNode.set(node, there.set(workerKey({ job, attempt: number, worker }), { job, worker }));
      this.#changed.add(node);
    }
  }

  #set(job: JobUid, state: WorkerState, exitCode: number | null): void {
    const attempt = this.#attempts.get(job);
    if (attempt === undefined || attempt.state.kind === 'ended') return;
    attempt.state = state;
    attempt.exitCode = exitCode;
    for (const { node } of attempt.placement) this.#changed.add(node);
  }

  /** Its nodes need not report that: the core knows. */
  #forget(job: JobUid): void {
    const attempt = this.#attempts.get(job);
    if (attempt === undefined) return;
    for (const [worker, { node }] of attempt.placement.entries())
      this.#onNode.get(node)?.delete(workerKey({ job, attempt: attempt.number, worker }));
    this.#attempts.delete(job);
  }

  #observe(node: NodeName): readonly ObservedWorker[] {
    return [...(this.#onNode.get(node)?.values() ?? [])].flatMap(({ job, worker }): readonly ObservedWorker[] => {
      const attempt = this.#attempts.get(job);
      if (attempt === undefined) return [];
      const { number, state, exitCode } = attempt;
      const rank = {
        rank: worker,
        state: state.kind === 'ended' ? { kind: 'ended' as const, exitCode, signal: null } : { kind: 'running' as const, pid: 1 },
        progress: null,
        checkpoint: null,
        suspendAware: false,
        suspendAnswer: null,
      };
      return [{ id: { job, attempt: number, worker }, state, ranks: [rank] }];
    });
  }
}

const health = Array.from({ length: gpusPerNode }, (_, index) => ({ index, healthy: true, code: '', message: '' }));

function helloOf(index: number, rack: number): Input {
  const name = `n${String(index).padStart(4, '0')}`;
  const gpus = Array.from({ length: gpusPerNode }, (_, gpu) => ({
    index: gpu,
    uuid: `GPU-${name}-${gpu}`,
    model: gpuModel,
    memoryBytes: 80 * 2 ** 30,
    pciBusId: `0000:${gpu}`,
    numaNode: 0,
    nvlinkDomain: gpu >> 1,
  }));
  const path = ['z1', 'b1', `r${String(rack).padStart(3, '0')}`];
  const inventory = { address: name, bootId: 'b', agentVersion: 'bench', path, cpuMilli: 96_000, memoryBytes: 2 ** 38, os: 'linux', gpus };
  const hello = { node: nodeName(name), protocolVersion, agentVersion: 'bench', inventory, epochSeen: epoch(0), workers: [], labels: {} };
  return { kind: 'hello', hello: { ...hello, gpuHealth: health } };
}
