import type { Policy } from '#core/context.ts';
import { MemoryDisk, openMemoryStore } from '#controller/adapters/memory/memoryStore.ts';
import { defaultPolicy } from '#controller/limits.ts';
import type { LoopOptions } from '#controller/loop/loop.ts';
import { Loop } from '#controller/loop/loop.ts';
import type { Telemetry } from '#controller/ports/telemetry.ts';
import { ManualClock, settled } from './manualClock.ts';

/** A loop that runs over a memory disk and a manual clock. */
export interface RunningLoop {
  readonly loop: Loop;
  readonly disk: MemoryDisk;
  readonly clock: ManualClock;
  /** What was logged: level and message, then the error's own message. */
  readonly said: string[];
  /** Settles when the loop has ended; rejects with what ended it. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

export interface RunOptions extends Partial<Pick<LoopOptions, 'inboxMax' | 'batchMax' | 'snapshotEvery'>> {
  readonly disk?: MemoryDisk;
  readonly clock?: ManualClock;
  readonly policy?: Partial<Policy>;
}

export const probeMs = 1_000;

export async function runLoop({
  disk = new MemoryDisk(),
  clock = new ManualClock(),
  policy = {},
  ...options
}: RunOptions = {}): Promise<RunningLoop> {
  const said: string[] = [];
  const loop = await Loop.open({
    store: await openMemoryStore(disk),
    clock,
    telemetry: telemetryTo(said),
    policy: { ...defaultPolicy, ...policy },
    version: 'test',
    inboxMax: 1_000,
    batchMax: 100,
    snapshotEvery: 1_000_000,
    probeMs,
    ...options,
  });
  const stopping = new AbortController();
  const ended = loop.run(stopping.signal);
  // A test that is not about the end need not wait for it.
  ended.catch(() => undefined);
  await settled();
  const stop = async (): Promise<void> => {
    stopping.abort();
    await ended;
  };
  return { loop, disk, clock, said, ended, stop };
}

function telemetryTo(said: string[]): Telemetry {
  const say = (level: string) => (fields: object, message: string) => {
    const cause = 'err' in fields && fields.err instanceof Error ? `: ${fields.err.message}` : '';
    said.push(`${level} ${message}${cause}`);
  };
  return { info: say('info'), warn: say('warn'), error: say('error') };
}
