import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { parentPort, type MessagePort } from 'node:worker_threads';
import { assert } from '#vocabulary/assert.ts';
import type { Policy } from '#core/context.ts';
import { answer } from './answer.ts';
import type { FromThread, ToThread } from './questions.ts';
import type { LogSource } from './workbench.ts';
import { Workbench } from './workbench.ts';

/** Entry of the thread that answers what would be: it follows the log, and plays on forks of the state. */
function serveForecasts(port: MessagePort): void {
  yieldToTheLeader();
  const tell = (message: FromThread): void => port.postMessage(message);
  const asked = new AskedLog(tell);
  let bench: { readonly policy: Policy; readonly workbench: Workbench } | null = null;
  const reply = async ({ id, question, moment }: Extract<ToThread, { kind: 'ask' }>): Promise<void> => {
    assert(bench !== null, 'the thread is told how to begin before it is asked');
    const { policy, workbench } = bench;
    const fork = await workbench.fork(moment);
    const context = { nowMs: Math.max(moment.nowMs, fork.atMs), policy };
    tell({ kind: 'answer', id, answer: await answer(fork, question, context, breathe) });
    await breathe();
    workbench.prepare(moment.nowMs);
  };
  port.on('message', (message: ToThread) => {
    if (message.kind === 'begin') bench = { policy: message.policy, workbench: new Workbench(asked, message.policy) };
    else if (message.kind !== 'ask') asked.give(message);
    else
      reply(message).catch((error: unknown) =>
        tell({ kind: 'failed', id: message.id, message: error instanceof Error ? error.message : String(error) }),
      );
  });
}

/** A macrotask: messages that came meanwhile are taken. */
const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Linux gives each thread a priority of its own. Elsewhere, or where it may not, the thread is like any other. */
function yieldToTheLeader(): void {
  try {
    setPriority(Number(readlinkSync('/proc/thread-self').split('/').at(-1)), 10);
  } catch {
    // Slower for the leader while cores are short, and nothing else.
  }
}

/** Asks the main thread, which has the store; one wish at a time. */
class AskedLog implements LogSource {
  readonly #tell: (message: FromThread) => void;
  #waiting: { readonly resolve: (message: ToThread) => void; readonly reject: (error: Error) => void } | null = null;

  constructor(tell: (message: FromThread) => void) {
    this.#tell = tell;
  }

  async snapshot(): Promise<string | null> {
    const given = await this.#want({ kind: 'wantSnapshot' });
    assert(given.kind === 'snapshot', 'a wish for the snapshot is answered with it');
    return given.body;
  }

  async lines(after: Parameters<LogSource['lines']>[0]): Promise<readonly string[]> {
    const given = await this.#want({ kind: 'wantLines', after });
    assert(given.kind === 'lines', 'a wish for lines is answered with them');
    return given.lines;
  }

  give(message: ToThread): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (message.kind === 'unreadable') waiting?.reject(new Error(message.message));
    else waiting?.resolve(message);
  }

  #want(message: FromThread): Promise<ToThread> {
    assert(this.#waiting === null, 'one wish at a time');
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#tell(message);
    });
  }
}

// The main thread loads this file too, to have it in the compile cache before the thread starts, and has no port.
if (parentPort !== null) serveForecasts(parentPort);
