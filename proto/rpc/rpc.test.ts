import { once } from 'node:events';
import * as tls from 'node:tls';
import { describe, expect, test } from 'vitest';
import { ControlService } from '#gen/shoal/v1/control_pb.js';
import type { CallContext, Handlers } from './call.ts';
import { connect } from './connect.ts';
import { clientCredentials, serverCredentials, type ClientTls } from './credentials.ts';
import { rpcCodes, RpcError } from './rpcError.ts';
import { addService, createServer, listen } from './serve.ts';
import { testAuthority } from './testing/testCertificates.ts';
import { failure, useTestServer } from './testing/testServer.ts';

const on = useTestServer();

describe('unary calls', () => {
  test('carry request, answer, headers, and the common name of the client certificate', async () => {
    const seen: CallContext[] = [];
    const client = await on.serveControl({
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

  test('go to the machine itself without the proxy of the environment', async () => {
    const before = process.env['https_proxy'];
    process.env['https_proxy'] = 'http://127.0.0.1:9';
    try {
      const client = await on.serveControl({ suspend: async () => ({ changed: true }) });
      expect(await client.suspend({ job: 'gpt' })).toMatchObject({ changed: true });
    } finally {
      if (before === undefined) delete process.env['https_proxy'];
      else process.env['https_proxy'] = before;
    }
  });

  test('keep code and message of an RpcError, whatever letters it has', async () => {
    const client = await on.serveControl({
      info: async () => {
        throw new RpcError('FAILED_PRECONDITION', 'job “gpt” läuft schon (100 %)\nzweite Zeile');
      },
    });
    expect(await failure(client.info({}))).toBe('FAILED_PRECONDITION: job “gpt” läuft schon (100 %)\nzweite Zeile');
  });

  test('carry every code', async () => {
    let code: keyof typeof rpcCodes = 'UNKNOWN';
    const client = await on.serveControl({
      info: async () => {
        throw new RpcError(code, 'why');
      },
    });
    for (const name of Object.keys(rpcCodes) as (keyof typeof rpcCodes)[]) {
      code = name;
      expect(await failure(client.info({}))).toBe(`${name}: why`);
    }
  });

  test('cut a message that would not fit into a header', async () => {
    const client = await on.serveControl({
      info: async () => {
        throw new RpcError('NOT_FOUND', '字'.repeat(20_000));
      },
    });
    expect(await failure(client.info({}))).toBe(`NOT_FOUND: ${'字'.repeat(4096)}`);
  });

  test('hide any other error from the caller and tell it to the server', async () => {
    const client = await on.serveControl({
      info: async () => {
        throw new Error('password is hunter2');
      },
    });
    expect(await failure(client.info({}))).toBe('INTERNAL: internal error; the server has logged it');
    expect(on.faults).toEqual(['Info: Error: password is hunter2']);
  });

  test('end at their deadline on both sides', async () => {
    let aborted: Promise<unknown> | undefined;
    const client = await on.serveControl({
      info: async (_, { signal }) => {
        aborted = once(signal, 'abort');
        await aborted;
        return {};
      },
    });
    expect(await failure(client.info({}, { deadlineMs: 100 }))).toMatch(/^DEADLINE_EXCEEDED: /);
    await aborted;
    expect(on.faults).toEqual([]);
  });

  test('are cancelled by their signal, which the handler sees', async () => {
    const started = Promise.withResolvers<AbortSignal>();
    const client = await on.serveControl({
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
    expect(on.faults).toEqual([]);
  });

  test('are not aborted by ending well', async () => {
    const signals: AbortSignal[] = [];
    const client = await on.serveControl({
      info: async (_, { signal }) => {
        signals.push(signal);
        return {};
      },
    });
    for (let call = 0; call < 20; call++) await client.info({});
    expect(signals.map(({ aborted }) => aborted)).toEqual(signals.map(() => false));
  });

  test('are refused by the interceptor before the handler runs', async () => {
    let ran = 0;
    const client = await on.serveControl({ info: async () => ({ user: `${++ran}` }) }, (method, { metadata }) => {
      if (metadata.get('authorization') !== 'Bearer other') throw new RpcError('UNAUTHENTICATED', `${method} wants a token`);
    });
    expect(await failure(client.info({}))).toBe('UNAUTHENTICATED: info wants a token');
    expect(ran).toBe(0);
  });

  test('reach the handler with the context that the interceptor gives', async () => {
    const client = await on.serveControl({ info: async (_, context) => ({ user: context.peer }) }, async (_, context) => ({
      ...context,
      peer: 'replaced',
    }));
    expect((await client.info({})).user).toBe('replaced');
  });

  test('carry 8 MiB and refuse more than 16 MiB', async () => {
    const client = await on.serveControl({
      apply: async ({ documents }) => ({ results: documents.map(({ json }) => ({ uid: `${json.length}` })) }),
    });
    const answer = await client.apply({ documents: [{ json: 'x'.repeat(8 * 2 ** 20) }] });
    expect(answer.results[0]?.uid).toBe(`${8 * 2 ** 20}`);
    expect(await failure(client.apply({ documents: [{ json: 'x'.repeat(17 * 2 ** 20) }] }))).toMatch(/^RESOURCE_EXHAUSTED: /);
  });
});

describe('who may connect', () => {
  const info = async (tls: ClientTls, address = on.address()): Promise<string> => {
    const client = connect(ControlService, { address, credentials: clientCredentials(tls) });
    on.closeLater(client);
    return failure(client.info({}, { deadlineMs: 5000 }));
  };

  test('a client of another authority, or without a certificate, is refused', async () => {
    await on.serveControl({ info: async () => ({}) });
    const stranger = await testAuthority();
    expect(await info({ caPem: on.authority().caPem, ...(await stranger.issue('n1')) })).toMatch(/^UNAVAILABLE: /);
    expect(await info({ caPem: on.authority().caPem })).toMatch(/^UNAVAILABLE: /);
    expect(await info(on.identity())).toBe('no RpcError: nothing failed');
  });

  test('a server of another authority, or of another name, is refused', async () => {
    await on.serveControl({ info: async () => ({}) });
    const stranger = await testAuthority();
    expect(await info({ caPem: stranger.caPem })).toMatch(
      /^UNAVAILABLE: .*self-signed certificate in certificate chain|^UNAVAILABLE: .*certificate/,
    );
    expect(await info(on.identity(), on.address().replace('127.0.0.1', 'localhost'))).toBe('no RpcError: nothing failed');
    expect(await info(on.identity(), on.address().replace('127.0.0.1', '127.0.0.2'))).toMatch(/^UNAVAILABLE: /);
  });

  test('an older TLS is refused', async () => {
    await on.serveControl({});
    const [host, port] = on.address().split(':');
    const { caPem, certificatePem, keyPem } = on.identity();
    const socket = tls.connect({
      host: host ?? '',
      port: Number(port),
      ca: caPem,
      cert: certificatePem,
      key: keyPem,
      maxVersion: 'TLSv1.2',
      ALPNProtocols: ['h2'],
    });
    const [error] = (await once(socket, 'error')) as [Error];
    expect(error.message).toMatch(/protocol version/);
    socket.destroy();
  });

  test('a server that does not ask for certificates sees none', async () => {
    const seen: (string | null)[] = [];
    const handler = async (_: unknown, { peerCommonName }: CallContext): Promise<object> => {
      seen.push(peerCommonName);
      return {};
    };
    addService(on.server(), ControlService, new Proxy({}, { get: () => handler }) as Handlers<typeof ControlService>);
    await on.start({ requireClientCertificate: false });
    expect(await info({ caPem: on.authority().caPem })).toBe('no RpcError: nothing failed');
    expect(seen).toEqual([null]);
  });

  test('nobody listening is UNAVAILABLE', async () => {
    expect(await info(on.identity(), '127.0.0.1:1')).toMatch(/^UNAVAILABLE: /);
  });

  test('a port that is taken is told', async () => {
    await on.serveControl({});
    const { caPem } = on.authority();
    const credentials = serverCredentials({ caPem, ...(await on.authority().issue('server')), requireClientCertificate: true });
    const other = createServer();
    await expect(listen(other, { host: '127.0.0.1', port: Number(on.address().split(':')[1]), credentials })).rejects.toThrow(
      /EADDRINUSE|bind/,
    );
    other.forceShutdown();
  });
});
