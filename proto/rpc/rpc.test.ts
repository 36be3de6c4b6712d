import { once } from 'node:events';
import type * as grpc from '@grpc/grpc-js';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AgentService, type SessionRequest } from '#gen/shoal/v1/agent_pb.js';
import { ControlService } from '#gen/shoal/v1/control_pb.js';
import type { CallContext, Client, Handlers } from './call.ts';
import { connect } from './connect.ts';
import { clientCredentials, serverCredentials, type ClientTls } from './credentials.ts';
import { rpcCodes, RpcError } from './rpcError.ts';
import { addService, createServer, listen, type Intercept } from './serve.ts';
import { testAuthority, type TestAuthority } from './testCertificates.ts';

type Control = typeof ControlService;
type Agent = typeof AgentService;

let authority: TestAuthority;
let identity: ClientTls;
let server: grpc.Server;
let address = '';
let faults: { readonly method: string; readonly error: unknown }[] = [];
const closers: (() => void)[] = [];

beforeAll(async () => {
  authority = await testAuthority();
  identity = { caPem: authority.caPem, ...(await authority.issue('n1')) };
});

beforeEach(() => {
  server = createServer();
  faults = [];
});

afterEach(() => {
  for (const close of closers.splice(0)) close();
  server.forceShutdown();
});

/** Methods of the control service that a test does not care about. */
const unimplemented = new Proxy({}, { get: () => () => { throw new RpcError('UNIMPLEMENTED', 'not in this test'); } }) as Handlers<Control>;

async function startServer(): Promise<void> {
  const credentials = serverCredentials({ caPem: authority.caPem, ...(await authority.issue('server')), requireClientCertificate: true });
  address = `127.0.0.1:${await listen(server, { host: '127.0.0.1', port: 0, credentials })}`;
}

async function serveControl(handlers: Partial<Handlers<Control>>, intercept?: Intercept): Promise<Client<Control>> {
  const all = new Proxy(handlers, { get: (own, name) => Reflect.get(own, name) ?? Reflect.get(unimplemented, name) }) as Handlers<Control>;
  addService(server, ControlService, all, intercept, (fault) => faults.push(fault));
  await startServer();
  const client = connect(ControlService, { address, credentials: clientCredentials(identity), metadata: () => ({ authorization: 'Bearer t' }) });
  closers.push(() => client.close());
  return client;
}

async function serveAgent(handlers: Partial<Handlers<Agent>>): Promise<Client<Agent>> {
  const all: Handlers<Agent> = {
    session: () => { throw new RpcError('UNIMPLEMENTED', 'not in this test'); },
    sendLogs: () => { throw new RpcError('UNIMPLEMENTED', 'not in this test'); },
    ...handlers,
  };
  addService(server, AgentService, all, undefined, (fault) => faults.push(fault));
  await startServer();
  const client = connect(AgentService, { address, credentials: clientCredentials(identity) });
  closers.push(() => client.close());
  return client;
}

async function failure(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(() => 'nothing failed', (reason: unknown) => reason);
  return error instanceof RpcError ? `${error.code}: ${error.message}` : `no RpcError: ${String(error)}`;
}

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of stream) all.push(one);
  return all;
}

const text = (data: Uint8Array): string => Buffer.from(data).toString();

describe('unary calls', () => {
  test('carry request, answer, headers, and the common name of the client certificate', async () => {
    const seen: CallContext[] = [];
    const client = await serveControl({
      suspend: async ({ job }, context) => {
        seen.push(context);
        return { changed: job === 'gpt' };
      },
    });
    expect(await client.suspend({ job: 'gpt' })).toMatchObject({ changed: true });
    expect(await client.suspend({ job: 'other' })).toMatchObject({ changed: false });
    expect(seen[0]?.peerCommonName).toBe('n1');
    expect(seen[0]?.metadata.get('authorization')).toBe('Bearer t');
    expect(seen[0]?.peer).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  test('keep code and message of an RpcError, whatever letters it has', async () => {
    const client = await serveControl({ info: async () => { throw new RpcError('FAILED_PRECONDITION', 'job “gpt” läuft schon (100 %)\nzweite Zeile'); } });
    expect(await failure(client.info({}))).toBe('FAILED_PRECONDITION: job “gpt” läuft schon (100 %)\nzweite Zeile');
  });

  test('carry every code', async () => {
    let code: keyof typeof rpcCodes = 'UNKNOWN';
    const client = await serveControl({ info: async () => { throw new RpcError(code, 'why'); } });
    for (const name of Object.keys(rpcCodes) as (keyof typeof rpcCodes)[]) {
      code = name;
      expect(await failure(client.info({}))).toBe(`${name}: why`);
    }
  });

  test('cut a message that would not fit into a header', async () => {
    const client = await serveControl({ info: async () => { throw new RpcError('NOT_FOUND', '字'.repeat(20_000)); } });
    expect(await failure(client.info({}))).toBe(`NOT_FOUND: ${'字'.repeat(4096)}`);
  });

  test('hide any other error from the caller and tell it to the server', async () => {
    const client = await serveControl({ info: async () => { throw new Error('password is hunter2'); } });
    expect(await failure(client.info({}))).toBe('INTERNAL: internal error; the server has logged it');
    expect(faults.map(({ method, error }) => `${method}: ${String(error)}`)).toEqual(['Info: Error: password is hunter2']);
  });

  test('end at their deadline on both sides', async () => {
    let aborted: Promise<unknown> | undefined;
    const client = await serveControl({
      info: async (_, { signal }) => {
        aborted = once(signal, 'abort');
        await aborted;
        return {};
      },
    });
    expect(await failure(client.info({}, { deadlineMs: 100 }))).toMatch(/^DEADLINE_EXCEEDED: /);
    await aborted;
    expect(faults).toEqual([]);
  });

  test('are cancelled by their signal, which the handler sees', async () => {
    const started = Promise.withResolvers<AbortSignal>();
    const client = await serveControl({
      info: async (_, { signal }) => {
        started.resolve(signal);
        await once(signal, 'abort');
        throw new Error('too late to matter');
      },
    });
    const controller = new AbortController();
    const call = failure(client.info({}, { signal: controller.signal }));
    const signal = await started.promise;
    const seen = once(signal, 'abort');
    controller.abort();
    expect(await call).toMatch(/^CANCELLED: /);
    await seen;
    expect(await failure(client.info({}, { signal: controller.signal }))).toBe('CANCELLED: the call was cancelled before it started');
    expect(faults).toEqual([]);
  });

  test('are refused by the interceptor before the handler runs', async () => {
    let ran = 0;
    const client = await serveControl(
      { info: async () => ({ user: `${++ran}` }) },
      (method, { metadata }) => {
        if (metadata.get('authorization') !== 'Bearer other') throw new RpcError('UNAUTHENTICATED', `${method} wants a token`);
      },
    );
    expect(await failure(client.info({}))).toBe('UNAUTHENTICATED: info wants a token');
    expect(ran).toBe(0);
  });

  test('reach the handler with the context that the interceptor gives', async () => {
    const client = await serveControl(
      { info: async (_, context) => ({ user: context.peer }) },
      async (_, context) => ({ ...context, peer: 'replaced' }),
    );
    expect((await client.info({})).user).toBe('replaced');
  });

  test('carry 8 MiB and refuse more than 16 MiB', async () => {
    const client = await serveControl({ apply: async ({ documents }) => ({ results: documents.map(({ json }) => ({ uid: `${json.length}` })) }) });
    const answer = await client.apply({ documents: [{ json: 'x'.repeat(8 * 2 ** 20) }] });
    expect(answer.results[0]?.uid).toBe(`${8 * 2 ** 20}`);
    expect(await failure(client.apply({ documents: [{ json: 'x'.repeat(17 * 2 ** 20) }] }))).toMatch(/^RESOURCE_EXHAUSTED: /);
  });
});

describe('server streams', () => {
  test('give every message in order and wait for a slow reader', async () => {
    let written = 0;
    const block = Buffer.alloc(256 * 1024);
    const client = await serveControl({
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
    const client = await serveControl({
      async *logs() {
        yield { data: Buffer.from('a') };
        throw new RpcError('OUT_OF_RANGE', 'revision 3 is gone');
      },
    });
    const got: string[] = [];
    const read = async (): Promise<void> => { for await (const { data } of client.logs({ job: 'gpt' })) got.push(text(data)); };
    expect(await failure(read())).toBe('OUT_OF_RANGE: revision 3 is gone');
    expect(got).toEqual(['a']);
  });

  test('are cancelled when the reader stops early', async () => {
    const cancelled = Promise.withResolvers<void>();
    const client = await serveControl({
      async *logs(_, { signal }) {
        signal.addEventListener('abort', () => cancelled.resolve());
        for (let rank = 0; ; rank++) yield { rank };
      },
    });
    for await (const { rank } of client.logs({ job: 'gpt' })) if (rank === 3) break;
    await cancelled.promise;
    expect(faults).toEqual([]);
  });

  test('are cancelled by a signal while the server is silent', async () => {
    const client = await serveControl({
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
    const client = await serveControl({ async *logs(_, { signal }) { await once(signal, 'abort'); } });
    expect(await failure(collect(client.logs({ job: 'gpt' }, { deadlineMs: 50 })))).toMatch(/^DEADLINE_EXCEEDED: /);
  });
});

describe('client streams', () => {
  test('give every message to the handler, and its answer to the caller', async () => {
    const got: string[] = [];
    const client = await serveAgent({
      sendLogs: async (requests) => {
        for await (const { data } of requests) got.push(text(data));
        return {};
      },
    });
    await client.sendLogs(logs('a', 'b', 'c'));
    expect(got).toEqual(['a', 'b', 'c']);
  });

  test('stop asking the sender when the handler answers early, and tell the sender', async () => {
    const client = await serveAgent({
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
    const started = Promise.withResolvers<void>();
    const client = await serveAgent({
      sendLogs: async (requests, { signal }) => {
        signal.addEventListener('abort', () => aborted.resolve('aborted'));
        for await (const _ of requests) started.resolve();
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
    expect(faults).toEqual([]);
  });
});

describe('bidirectional streams', () => {
  test('go both ways at once, the first request read apart from the rest', async () => {
    const client = await serveAgent({
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
      told.push(message.case === 'welcome' ? `welcome ${message.value.epoch}` : message.case === 'ack' ? `ack ${message.value.sequence}` : 'other');
      ready.resolve();
    }
    expect(told).toEqual(['welcome 7', 'ack 1', 'ack 2']);
  });

  test('hold the sender back while the handler does not read', async () => {
    let sent = 0;
    const read = Promise.withResolvers<void>();
    const client = await serveAgent({
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
    const client = await serveAgent({
      async *session(requests, { signal }) {
        signal.addEventListener('abort', () => aborted.resolve());
        for await (const _ of requests) yield { message: { case: 'welcome', value: {} } };
      },
    });
    const returned = Promise.withResolvers<void>();
    let given = 0;
    const requests: AsyncIterable<{ readonly message: { readonly case: 'hello'; readonly value: { readonly node: string } } }> = {
      [Symbol.asyncIterator]: () => ({
        next: async () => (given++ === 0 ? { done: false, value: { message: { case: 'hello', value: { node: 'n1' } } } } : new Promise(() => undefined)),
        return: async () => {
          returned.resolve();
          return { done: true, value: undefined };
        },
      }),
    };
    for await (const _ of client.session(requests)) break;
    await aborted.promise;
    await returned.promise;
    expect(faults).toEqual([]);
  });

  test('end with UNAVAILABLE or CANCELLED when the server goes away', async () => {
    const client = await serveAgent({
      async *session(requests) {
        for await (const _ of requests) yield { message: { case: 'welcome', value: {} } };
      },
    });
    async function* requests() {
      yield { message: { case: 'hello' as const, value: {} } };
      await new Promise(() => undefined);
    }
    const read = async (): Promise<void> => { for await (const _ of client.session(requests())) server.forceShutdown(); };
    expect(await failure(read())).toMatch(/^(UNAVAILABLE|CANCELLED|UNKNOWN): /);
  });
});

describe('who may connect', () => {
  const info = (tls: ClientTls): Promise<string> => {
    const client = connect(ControlService, { address, credentials: clientCredentials(tls) });
    closers.push(() => client.close());
    return failure(client.info({}, { deadlineMs: 5000 }));
  };

  test('a client of another authority, or without a certificate, is refused', async () => {
    await serveControl({ info: async () => ({}) });
    const stranger = await testAuthority();
    expect(await info({ caPem: authority.caPem, ...(await stranger.issue('n1')) })).toMatch(/^UNAVAILABLE: /);
    expect(await info({ caPem: authority.caPem })).toMatch(/^UNAVAILABLE: /);
    expect(await info(identity)).toBe('no RpcError: nothing failed');
  });

  test('a server of another authority is refused', async () => {
    await serveControl({ info: async () => ({}) });
    const stranger = await testAuthority();
    expect(await info({ caPem: stranger.caPem })).toMatch(/^UNAVAILABLE: /);
  });

  test('a server that does not ask for certificates sees none', async () => {
    const seen: (string | null)[] = [];
    const handlers = new Proxy({}, { get: () => async (_: unknown, context: CallContext) => { seen.push(context.peerCommonName); return {}; } }) as Handlers<Control>;
    addService(server, ControlService, handlers);
    const credentials = serverCredentials({ caPem: authority.caPem, ...(await authority.issue('server')), requireClientCertificate: false });
    address = `127.0.0.1:${await listen(server, { host: '127.0.0.1', port: 0, credentials })}`;
    expect(await info({ caPem: authority.caPem })).toBe('no RpcError: nothing failed');
    expect(seen).toEqual([null]);
  });

  test('nobody listening is UNAVAILABLE', async () => {
    address = '127.0.0.1:1';
    expect(await info(identity)).toMatch(/^UNAVAILABLE: /);
  });

  test('a port that is taken is told', async () => {
    await serveControl({});
    const credentials = serverCredentials({ caPem: authority.caPem, ...(await authority.issue('server')), requireClientCertificate: true });
    const other = createServer();
    await expect(listen(other, { host: '127.0.0.1', port: Number(address.split(':')[1]), credentials })).rejects.toThrow(/EADDRINUSE|bind/);
    other.forceShutdown();
  });
});

/** The value once it has not moved for twenty turns of the event loop with I/O in between. */
async function settled(read: () => number): Promise<number> {
  let last = read();
  for (let still = 0; still < 20; ) {
    await new Promise<void>((resolve) => { setTimeout(resolve, 5); });
    const now = read();
    still = now === last ? still + 1 : 0;
    last = now;
  }
  return last;
}

async function* logs(...lines: readonly string[]): AsyncGenerator<{ readonly data: Buffer }> {
  for (const line of lines) yield { data: Buffer.from(line) };
}
