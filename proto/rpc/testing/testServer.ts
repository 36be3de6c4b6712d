/** What the tests of this folder share: a real server and clients over TLS on loopback, closed after each test. */
import type * as grpc from '@grpc/grpc-js';
import { afterEach, beforeAll, beforeEach } from 'vitest';
import { AgentService } from '#gen/shoal/v1/agent_pb.js';
import { ControlService } from '#gen/shoal/v1/control_pb.js';
import type { Client, Handlers } from '../call.ts';
import { connect } from '../connect.ts';
import { clientCredentials, serverCredentials, type ClientTls } from '../credentials.ts';
import { RpcError } from '../rpcError.ts';
import { addService, createServer, listen, type Intercept } from '../serve.ts';
import { testAuthority, type TestAuthority } from './testCertificates.ts';

type Control = typeof ControlService;
type Agent = typeof AgentService;

export interface TestServer {
  /** As `method: error`, in order. */
  readonly faults: string[];
  server(): grpc.Server;
  /** Of the server and of `identity`. */
  authority(): TestAuthority;
  /** A client's: CA, certificate of n1. */
  identity(): ClientTls;
  address(): string;
  start(options?: { readonly requireClientCertificate: boolean }): Promise<void>;
  /** Serves the given methods, the others answer UNIMPLEMENTED; the client sends `authorization: Bearer t`. */
  serveControl(handlers: Partial<Handlers<Control>>, intercept?: Intercept): Promise<Client<Control>>;
  serveAgent(handlers: Partial<Handlers<Agent>>): Promise<Client<Agent>>;
  closeLater(closable: { close(): void }): void;
}

export function useTestServer(): TestServer {
  let authority: TestAuthority;
  let identity: ClientTls;
  let server: grpc.Server;
  let address = '';
  const faults: string[] = [];
  const open: { close(): void }[] = [];
  const onFault = (fault: { readonly method: string; readonly error: unknown }): void =>
    void faults.push(`${fault.method}: ${String(fault.error)}`);

  beforeAll(async () => {
    authority = await testAuthority();
    identity = { caPem: authority.caPem, ...(await authority.issue('n1')) };
  });
  beforeEach(() => {
    server = createServer();
    faults.length = 0;
  });
  afterEach(() => {
    for (const closable of open.splice(0)) closable.close();
    server.forceShutdown();
  });

  const start: TestServer['start'] = async ({ requireClientCertificate } = { requireClientCertificate: true }) => {
    const credentials = serverCredentials({ caPem: authority.caPem, ...(await authority.issue('server')), requireClientCertificate });
    address = `127.0.0.1:${await listen(server, { host: '127.0.0.1', port: 0, credentials })}`;
  };
  return {
    faults,
    server: () => server,
    authority: () => authority,
    identity: () => identity,
    address: () => address,
    start,
    closeLater: (closable) => void open.push(closable),
    async serveControl(handlers, intercept) {
      addService(server, ControlService, withRest<Handlers<Control>>(handlers), intercept, onFault);
      await start();
      const client = connect(ControlService, {
        address,
        credentials: clientCredentials(identity),
        metadata: () => ({ authorization: 'Bearer t' }),
      });
      open.push(client);
      return client;
    },
    async serveAgent(handlers) {
      addService(server, AgentService, withRest<Handlers<Agent>>(handlers), undefined, onFault);
      await start();
      const client = connect(AgentService, { address, credentials: clientCredentials(identity) });
      open.push(client);
      return client;
    },
  };
}

function withRest<T extends object>(handlers: Partial<T>): T {
  const rest = (): never => {
    throw new RpcError('UNIMPLEMENTED', 'not in this test');
  };
  return new Proxy(handlers, { get: (own, name): unknown => Reflect.get(own, name) ?? rest }) as T;
}

/** `CODE: message` of the RpcError that the promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => 'nothing failed',
    (reason: unknown) => reason,
  );
  return error instanceof RpcError ? `${error.code}: ${error.message}` : `no RpcError: ${String(error)}`;
}
