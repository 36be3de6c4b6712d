import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { SessionRequest } from '#gen/shoal/v1/agent_pb.js';
import { RpcError } from './rpcError.ts';
import { failure, useTestServer } from './testing/testServer.ts';

const on = useTestServer();

describe('server streams', () => {
  test('give every message in order and wait for a slow reader', async () => {
    let written = 0;
    const block = Buffer.alloc(256 * 1024);
    const client = await on.serveControl({
      async *logs() {
        for (; written < 200; written++) yield { rank: written, data: block };
      },
    });
    const ranks: number[] = [];
    let writtenAtFirst = -1;
    for await (const { rank } of client.logs({ job: 'gpt' })) {
      if (writtenAtFirst < 0) writtenAtFirst = await settled(() => written);
      ranks.push(rank);
    }
    expect(ranks).toEqual(Array.from({ length: 200 }, (_, index) => index));
    expect(writtenAtFirst).toBeLessThan(150);
  });

  test('give what came before an error, then the error', async () => {
    const client = await on.serveControl({
      async *logs() {
        yield { data: Buffer.from('a') };
        throw new RpcError('OUT_OF_RANGE', 'revision 3 is gone');
      },
    });
    const got: string[] = [];
    const read = async (): Promise<void> => {
      for await (const { data } of client.logs({ job: 'gpt' })) got.push(text(data));
    };
    expect(await failure(read())).toBe('OUT_OF_RANGE: revision 3 is gone');
    expect(got).toEqual(['a']);
  });

  test('are cancelled when the reader stops early', async () => {
    const cancelled = Promise.withResolvers<void>();
    const client = await on.serveControl({
      async *logs(_, { signal }) {
        signal.addEventListener('abort', () => cancelled.resolve());
        for (let rank = 0; ; rank++) yield { rank };
      },
    });
    for await (const { rank } of client.logs({ job: 'gpt' })) if (rank === 3) break;
    await cancelled.promise;
    expect(on.faults).toEqual([]);
  });

  test('are cancelled by a signal while the server is silent', async () => {
    const client = await on.serveControl({
      async *logs(_, { signal }) {
        yield { rank: 1 };
        await once(signal, 'abort');
      },
    });
    const controller = new AbortController();
    const read = async (): Promise<void> => {
      for await (const { rank } of client.logs({ job: 'gpt' }, { signal: controller.signal })) if (rank === 1) controller.abort();
    };
    expect(await failure(read())).toMatch(/^CANCELLED: /);
  });

  test('end at their deadline', async () => {
    const client = await on.serveControl({
      async *logs(_, { signal }) {
        await once(signal, 'abort');
      },
    });
    expect(await failure(collect(client.logs({ job: 'gpt' }, { deadlineMs: 50 })))).toMatch(/^DEADLINE_EXCEEDED: /);
  });
});

describe('client streams', () => {
  test('give every message to the handler, and its answer to the caller', async () => {
    const got: string[] = [];
    const client = await on.serveAgent({
      sendLogs: async (requests) => {
        for await (const { data } of requests) got.push(text(data));
        return {};
      },
    });
    await client.sendLogs(logs('a', 'b', 'c'));
    expect(got).toEqual(['a', 'b', 'c']);
  });

  test('stop asking the sender when the handler answers early, and tell the sender', async () => {
    const client = await on.serveAgent({
      sendLogs: async (requests) => {
        for await (const { data } of requests) if (text(data) === 'b') throw new RpcError('NOT_FOUND', 'nobody reads any more');
        return {};
      },
    });
    const returned = Promise.withResolvers<void>();
    async function* endless(): AsyncGenerator<{ readonly data: Buffer }> {
      try {
        for (;;) {
          yield { data: Buffer.from('a') };
          yield { data: Buffer.from('b') };
        }
      } finally {
        returned.resolve();
      }
    }
    expect(await failure(client.sendLogs(endless()))).toBe('NOT_FOUND: nobody reads any more');
    await returned.promise;
  });

  test('fail with the error of the sender, and the handler sees a cancellation', async () => {
    const aborted = Promise.withResolvers<string>();
    const seen = Promise.withResolvers<string>();
    const started = Promise.withResolvers<void>();
    const client = await on.serveAgent({
      sendLogs: async (requests, { signal }) => {
        signal.addEventListener('abort', () => aborted.resolve('aborted'));
        const read = async (): Promise<void> => {
          for await (const _ of requests) started.resolve();
        };
        seen.resolve(await failure(read()));
        return {};
      },
    });
    async function* broken(): AsyncGenerator<{ readonly data: Buffer }> {
      yield { data: Buffer.from('a') };
      await started.promise;
      throw new Error('log file is gone');
    }
    expect(await failure(client.sendLogs(broken()))).toBe('UNKNOWN: log file is gone');
    expect(await aborted.promise).toBe('aborted');
    expect(await seen.promise).toBe('CANCELLED: the call was cancelled');
    expect(on.faults).toEqual([]);
  });
});

describe('bidirectional streams', () => {
  test('go both ways at once, the first request read apart from the rest', async () => {
    const client = await on.serveAgent({
      async *session(requests) {
        let hello: SessionRequest | undefined;
        for await (const request of requests) {
          hello = request;
          break;
        }
        yield { message: { case: 'welcome', value: { epoch: hello?.message.case === 'hello' ? 7n : 0n } } };
        for await (const { message } of requests) {
          if (message.case === 'report') yield { message: { case: 'ack', value: { sequence: message.value.sequence } } };
        }
      },
    });
    const told: string[] = [];
    const ready = Promise.withResolvers<void>();
    async function* requests() {
      yield { message: { case: 'hello' as const, value: { node: 'n1' } } };
      await ready.promise;
      for (const sequence of [1n, 2n]) yield { message: { case: 'report' as const, value: { sequence } } };
    }
    for await (const { message } of client.session(requests())) {
      told.push(
        message.case === 'welcome' ? `welcome ${message.value.epoch}` : message.case === 'ack' ? `ack ${message.value.sequence}` : 'other',
      );
      ready.resolve();
    }
    expect(told).toEqual(['welcome 7', 'ack 1', 'ack 2']);
  });

  test('hold the sender back while the handler does not read', async () => {
    let sent = 0;
    const read = Promise.withResolvers<void>();
    const client = await on.serveAgent({
      async *session(requests) {
        const welcome = { case: 'welcome' as const, value: {} };
        yield { message: welcome };
        await read.promise;
        const sequence = BigInt((await collect(requests)).length);
        yield { message: { case: 'ack', value: { sequence } } };
      },
    });
    async function* requests() {
      for (; sent < 400; sent++) yield { message: { case: 'hello' as const, value: { node: 'x'.repeat(256 * 1024) } } };
    }
    let sentBeforeRead = -1;
    const acknowledged: bigint[] = [];
    for await (const { message } of client.session(requests())) {
      if (message.case === 'welcome') {
        sentBeforeRead = await settled(() => sent);
        read.resolve();
      } else if (message.case === 'ack') acknowledged.push(message.value.sequence);
    }
    expect(sentBeforeRead).toBeLessThan(200);
    expect(acknowledged).toEqual([400n]);
  });

  test('are cancelled when the client stops reading, and the outgoing iterator is told', async () => {
    const aborted = Promise.withResolvers<void>();
    const client = await on.serveAgent({
      async *session(requests, { signal }) {
        signal.addEventListener('abort', () => aborted.resolve());
        for await (const _ of requests) yield { message: { case: 'welcome', value: {} } };
      },
    });
    const returned = Promise.withResolvers<void>();
    let given = 0;
    const requests: AsyncIterable<{ readonly message: { readonly case: 'hello'; readonly value: { readonly node: string } } }> = {
      [Symbol.asyncIterator]: () => ({
        next: async () =>
          given++ === 0 ? { done: false, value: { message: { case: 'hello', value: { node: 'n1' } } } } : new Promise(() => undefined),
        return: async () => {
          returned.resolve();
          return { done: true, value: undefined };
        },
      }),
    };
    for await (const _ of client.session(requests)) break;
    await aborted.promise;
    await returned.promise;
    expect(on.faults).toEqual([]);
  });

  test('end with UNAVAILABLE or CANCELLED when the server goes away', async () => {
    const client = await on.serveAgent({
      async *session(requests) {
        for await (const _ of requests) yield { message: { case: 'welcome', value: {} } };
      },
    });
    async function* requests() {
      yield { message: { case: 'hello' as const, value: {} } };
      await new Promise(() => undefined);
    }
    const read = async (): Promise<void> => {
      for await (const _ of client.session(requests())) on.server().forceShutdown();
    };
    expect(await failure(read())).toMatch(/^(UNAVAILABLE|CANCELLED|UNKNOWN): /);
  });
});

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of stream) all.push(one);
  return all;
}

const text = (data: Uint8Array): string => Buffer.from(data).toString();

/** The value once it has not moved for twenty turns of the event loop with I/O in between. */
async function settled(read: () => number): Promise<number> {
  let last = read();
  for (let still = 0; still < 20; ) {
    await new Promise<void>((resolve) => {
      setTimeout(resolve, 5);
    });
    const now = read();
    still = now === last ? still + 1 : 0;
    last = now;
  }
  return last;
}

async function* logs(...lines: readonly string[]): AsyncGenerator<{ readonly data: Buffer }> {
  for (const line of lines) yield { data: Buffer.from(line) };
}
