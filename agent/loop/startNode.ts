/** A node without its link: the loop, what it does through the runtime, and both of its fronts (programs, controller). */
import type { Logger } from 'pino';
import type { NodeInventory } from '#vocabulary/topology.ts';
import type { NodeState } from '../core/nodeState.ts';
import { onRankFate } from '../core/onRuntime.ts';
import type { Clock } from '../ports/clock.ts';
import type { Folders } from '../ports/folders.ts';
import type { Gpu } from '../ports/gpu.ts';
import type { Journal } from '../ports/journal.ts';
import type { NodeSession } from '../ports/link.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { WorkloadDesk, WorkloadSockets } from '../ports/workload.ts';
import type { Background } from './background.ts';
import { ControllerSession } from './controllerSession.ts';
import { NodeLoop } from './nodeLoop.ts';
import { RankDesk } from './rankDesk.ts';
import { WorkerActions, type LaunchFacts } from './workerActions.ts';

export interface NodeParts {
  readonly inventory: NodeInventory;
  readonly labels: Readonly<Record<string, string>>;
  readonly journal: Journal;
  readonly runtime: Runtime;
  readonly gpu: Gpu;
  readonly clock: Clock;
  readonly folders: Folders;
  readonly sockets: (desk: WorkloadDesk) => WorkloadSockets;
  readonly facts: Omit<LaunchFacts, 'gpus'>;
  readonly background: Background;
  readonly log: Logger;
}

export interface Node {
  readonly session: NodeSession;
  readonly desk: WorkloadDesk;
  state(): NodeState;
  /** Calls when there is something new to report. */
  onReportable(listener: () => void): void;
  /** Nothing is decided after this. What is under way is waited for, up to 5 s. */
  stop(): Promise<void>;
}

const stopMs = 5000;

/** Takes over what the journal tells, adopts the ranks that live, and begins. */
export async function startNode(parts: NodeParts): Promise<Node> {
  const { journal, clock, background, log, inventory, runtime, gpu, folders } = parts;
  const loop = new NodeLoop({ journal, clock, bootId: inventory.bootId, background, log, perform: (action) => actions.perform(action) });
  const session = new ControllerSession({ loop, gpu, clock, inventory, labels: parts.labels, background, log });
  const desk = new RankDesk({ loop, clock, workFolder: parts.facts.workFolder, receipts: session.receipts() });
  const facts: LaunchFacts = { ...parts.facts, gpus: new Map(inventory.gpus.map((gpu) => [gpu.index, gpu])) };
  const actions = new WorkerActions({ runtime, sockets: parts.sockets(desk), folders, clock, facts, background, log }, loop);
  runtime.onRankEnd(({ id, rank, exitCode, signal }) => {
    log.info({ job: id.job, attempt: id.attempt, worker: id.worker, rank, exitCode, signal }, 'rank ended');
    loop.change((state) => onRankFate(state, id, rank, { kind: 'ended', exitCode, signal }));
  });
  const restored = await loop.restore();
  for (const worker of restored.workers.values()) if (worker.end.kind !== 'ended') await actions.adopt(worker);
  await session.refreshHealth();
  loop.begin();
  return {
    session,
    desk,
    state: () => loop.state(),
    onReportable(listener) {
      loop.onDurable(listener);
      session.onHealth(listener);
    },
    async stop() {
      await loop.stop();
      let cancel = (): void => undefined;
      const late = new Promise<void>((resolve) => {
        cancel = clock.wakeAt(clock.nowMs() + stopMs, resolve);
      });
      await Promise.race([actions.idle(), late]);
      cancel();
    },
  };
}
