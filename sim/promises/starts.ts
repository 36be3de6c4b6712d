/** On the nodes themselves: nothing starts twice, and no GPU has two masters, whatever the controller believes. */
import type { WorkerRecord } from '#agent/core/nodeState.ts';
import { workerKey, type WorkerId } from '#vocabulary/job.ts';
import type { SimAgent } from '../world/simAgent.ts';

const wholeMilli = 1000;

export class Starts {
  readonly #started = new Set<string>();

  /** These ranks are about to start there. Sentences that say what is wrong with it. */
  *note(agent: SimAgent, id: WorkerId, ranks: readonly number[]): Generator<string> {
    for (const rank of ranks) {
      const key = `${workerKey(id)}/${rank}`;
      if (this.#started.has(key)) yield `rank ${key} starts a second time, on node ${agent.name}`;
      this.#started.add(key);
    }
    const living = [...agent.workers()].filter(isAlive);
    for (const gpu of agent.worker(id)?.gpus ?? []) {
      const here = living.filter(({ gpus }) => gpus.includes(gpu));
      const slots = here.flatMap(({ launch }) => launch.gpuSlot?.uuid ?? []);
      const milli = here
        .filter(({ launch }) => launch.gpuSlot === undefined)
        .reduce((sum, { launch }) => sum + (launch.gpuShareMilli ?? wholeMilli), 0);
      if (milli > wholeMilli || (milli > 0 && slots.length > 0) || new Set(slots).size < slots.length)
        yield `GPU ${gpu} of node ${agent.name} is used by more than it has room for`;
    }
  }
}

const isAlive = ({ ranks, end }: WorkerRecord): boolean =>
  end.kind !== 'ended' && ranks.some(({ life }) => life.kind === 'running' || life.kind === 'launching');
