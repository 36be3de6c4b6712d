/** A controller's listener for agents: real gRPC and TLS, nothing behind it. The test plays the controller. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { AgentService, type SendLogsRequest, type SessionRequest, type SessionResponseSchema } from '#gen/shoal/v1/agent_pb.js';
import type { Handlers } from '#rpc/call.ts';
import { serverCredentials } from '#rpc/credentials.ts';
import { addService, createServer, listen } from '#rpc/serve.ts';
import type { TestCa } from './testCertificates.ts';

type Response = MessageInitShape<typeof SessionResponseSchema>;
type Message = NonNullable<Response['message']>;

export interface SessionDouble {
  readonly peerCommonName: string | null;
  /** The next message of the agent; null: the session is over. */
  receive(): Promise<SessionRequest | null>;
  send(message: Message): void;
  end(): void;
}

export interface ControllerDouble {
  readonly port: number;
  /** The next session that an agent opens. */
  session(): Promise<SessionDouble>;
  /** The chunks of the next log stream. */
  logs(): Promise<readonly SendLogsRequest[]>;
  close(): void;
}

export async function startControllerDouble(ca: TestCa, port = 0): Promise<ControllerDouble> {
  const sessions = new Mailbox<SessionDouble>();
  const logs = new Mailbox<readonly SendLogsRequest[]>();
  const handlers: Handlers<typeof AgentService> = {
    async *session(requests, { peerCommonName, signal }) {
      const outgoing = new Mailbox<Response | null>();
      const iterator = requests[Symbol.asyncIterator]();
      signal.addEventListener('abort', () => outgoing.put(null), { once: true });
      sessions.put({
        peerCommonName,
        receive: async () =>
          iterator.next().then(
            ({ done, value }) => (done === true ? null : value),
            () => null,
          ),
        send: (message) => outgoing.put({ message }),
        end: () => outgoing.put(null),
      });
      for (let message = await outgoing.take(); message !== null; message = await outgoing.take()) yield message;
    },
    async sendLogs(requests) {
      const chunks: SendLogsRequest[] = [];
      for await (const chunk of requests) chunks.push(chunk);
      logs.put(chunks);
      return {};
    },
  };
  const server = createServer();
  addService(server, AgentService, handlers);
  const identity = await ca.issue('controller');
  const bound = await listen(server, {
    host: '127.0.0.1',
    port,
    credentials: serverCredentials({ ...identity, caPem: ca.pem, requireClientCertificate: true }),
  });
  return { port: bound, session: () => sessions.take(), logs: () => logs.take(), close: () => server.forceShutdown() };
}

/** Values wait for takers, takers for values. */
class Mailbox<T> {
  readonly #values: T[] = [];
  readonly #takers: ((value: T) => void)[] = [];

  put(value: T): void {
    const taker = this.#takers.shift();
    if (taker === undefined) this.#values.push(value);
    else taker(value);
  }

  async take(): Promise<T> {
    const value = this.#values.shift();
    return value === undefined ? new Promise((resolve) => this.#takers.push(resolve)) : value;
  }
}
