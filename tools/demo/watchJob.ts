/** Looks at the job and the nodes again and again, shows them, and tells what happened to them since. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Event } from '#gen/shoal/v1/event_pb.js';
import type { Node } from '#gen/shoal/v1/node_pb.js';
import type { TrainingJob, TrainingJobStatus } from '#gen/shoal/v1/training_job_pb.js';
import type { ControlClient } from './cluster.ts';
import { blockOf } from './jobView.ts';
import type { Screen } from './screen.ts';

export const jobName = 'gpt-tiny';

export type Seen = TrainingJob & { readonly status: TrainingJobStatus };

const periodMs = 400;
const callDeadlineMs = 10_000;
/** The demo takes less than two minutes; whatever takes this long is stuck. */
const patienceMs = 300_000;

export class Watcher {
  readonly #client: ControlClient;
  readonly #screen: Screen;
  readonly #startedMs = performance.now();
  readonly #told = new Set<string>();

  constructor(client: ControlClient, screen: Screen) {
    this.#client = client;
    this.#screen = screen;
  }

  /** Writes a line with the seconds since the start. */
  tell(line: string): void {
    const seconds = ((performance.now() - this.#startedMs) / 1000).toFixed(1);
    this.#screen.say(`[${seconds.padStart(5)} s] ${line}`);
  }

  /** Resolves with the job at the first moment when `holds` is true. Throws when the job failed, or it takes too long. */
  async until(what: string, holds: (job: Seen) => boolean, signal: AbortSignal): Promise<Seen> {
    const giveUpMs = performance.now() + patienceMs;
    for (;;) {
      const job = await this.#look(signal);
      if (job !== undefined && holds(job)) return job;
      if (job?.status.phase === 'Failed') throw new Error(`the job failed: ${job.status.reason} ${job.status.message}`);
      if (job?.status.phase === 'Succeeded') throw new Error(`the job ended before ${what}`);
      if (performance.now() > giveUpMs) throw new Error(`waited ${patienceMs / 1000} s for ${what}`);
      await sleep(periodMs, undefined, { signal });
    }
  }

  async untilNodesReady(count: number, signal: AbortSignal): Promise<void> {
    const giveUpMs = performance.now() + patienceMs;
    for (;;) {
      const ready = (await this.#nodes(signal)).filter(({ status }) => status?.state === 'Ready');
      if (ready.length >= count) return;
      if (performance.now() > giveUpMs) throw new Error(`${ready.length} of ${count} nodes are ready after ${patienceMs / 1000} s`);
      await sleep(periodMs, undefined, { signal });
    }
  }

  async #look(signal: AbortSignal): Promise<Seen | undefined> {
    const options = { signal, deadlineMs: callDeadlineMs };
    const { resource } = await this.#client.get({ object: { kind: 'TrainingJob', name: jobName } }, options);
    const nodes = await this.#nodes(signal);
    await this.#tellEvents(signal);
    if (resource?.object.case !== 'trainingJob') return undefined;
    const job = resource.object.value;
    this.#screen.show(blockOf(job, nodes));
    return hasStatus(job) ? job : undefined;
  }

  async #nodes(signal: AbortSignal): Promise<readonly Node[]> {
    const { resources } = await this.#client.list({ kind: 'Node' }, { signal, deadlineMs: callDeadlineMs });
    return resources.flatMap(({ object }) => (object.case === 'node' ? [object.value] : []));
  }

  async #tellEvents(signal: AbortSignal): Promise<void> {
    const { resources } = await this.#client.list({ kind: 'Event' }, { signal, deadlineMs: callDeadlineMs });
    for (const { object } of resources) {
      if (object.case !== 'event') continue;
      const event = object.value;
      const name = event.metadata?.name ?? '';
      if (this.#told.has(name)) continue;
      this.#told.add(name);
      if (isWorthTelling(event))
        this.tell(`${event.object?.name ?? ''}: ${event.reason}${event.message === '' ? '' : ` · ${event.message}`}`);
    }
  }
}

function hasStatus(job: TrainingJob): job is Seen {
  return job.status !== undefined;
}

/** Of the job and of nodes; queues are no part of the story. */
function isWorthTelling({ object, type }: Event): boolean {
  return object?.kind === 'TrainingJob' || (object?.kind === 'Node' && type === 'Warning');
}
