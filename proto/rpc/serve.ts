import type { EventEmitter } from 'node:events';
import type { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import type { DescMessage, DescMethod, DescService, MessageInitShape } from '@bufbuild/protobuf';
import type { CallContext, Handlers } from './call.ts';
import { decodeMessage, encodeMessage, messageLimits, passBytes } from './message.ts';
import { rpcCodes, RpcError } from './rpcError.ts';
import { incoming, writeWithRoom } from './stream.ts';

/** Runs before each call and may refuse it by throwing `RpcError`, or hand the handler another context. */
export type Intercept = (methodName: string, context: CallContext) => Promise<CallContext | void> | CallContext | void;
/** Hears of errors that are no `RpcError`: promises broken in a handler. The caller is told INTERNAL and nothing more. */
export type OnFault = (fault: { readonly method: string; readonly error: unknown }) => void;

/** What callers are told of a fault: its text may hold what is not theirs to know. */
const faultMessage = 'internal error; the server has logged it';
/** Longest status message, in characters: it travels in an HTTP/2 header. */
const statusMessageCharsMax = 4096;

export function createServer(options: grpc.ServerOptions = {}): grpc.Server {
  return new grpc.Server({ ...messageLimits, ...options });
}

/** Adds every method of a service. `methodName` of `intercept` is the key of `handlers`, e.g. `createJoinToken`. */
export function addService<S extends DescService>(
  server: grpc.Server,
  service: S,
  handlers: Handlers<S>,
  intercept: Intercept = () => undefined,
  onFault: OnFault = () => undefined,
): void {
  const definition: Record<string, grpc.MethodDefinition<Buffer, Buffer>> = {};
  const implementation: grpc.UntypedServiceImplementation = {};
  for (const method of service.methods) {
    definition[method.localName] = {
      path: `/${service.typeName}/${method.name}`,
      requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
      responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
      requestSerialize: passBytes,
      requestDeserialize: passBytes,
      responseSerialize: passBytes,
      responseDeserialize: passBytes,
    };
    const handler = (handlers as Record<string, unknown>)[method.localName];
    if (typeof handler !== 'function') throw new Error(`${service.typeName}.${method.name} has no handler`);
    implementation[method.localName] = callHandler({ method, handler: handler as UntypedHandler, intercept, onFault });
  }
  server.addService(definition, implementation);
}

/** Starts listening; resolves with the bound port (asked for with port 0). */
export async function listen(
  server: grpc.Server,
  { host, port, credentials }: { readonly host: string; readonly port: number; readonly credentials: grpc.ServerCredentials },
): Promise<number> {
  const authority = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(authority, credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
}

type Output = MessageInitShape<DescMessage>;
type UntypedHandler = (input: unknown, context: CallContext) => unknown;
interface Served {
  readonly method: DescMethod;
  readonly handler: UntypedHandler;
  readonly intercept: Intercept;
  readonly onFault: OnFault;
}

/** The function that grpc-js calls, by the method's kind. It never throws and its promise never rejects. */
function callHandler(served: Served): grpc.UntypedHandleCall {
  switch (served.method.methodKind) {
    case 'unary':
      return (call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) =>
        void answerOnce(served, call, () => decodeMessage(served.method.input, call.request), answer);
    case 'client_streaming':
      return (call: grpc.ServerReadableStream<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) =>
        void answerOnce(served, call, (signal) => requestsOf(served.method, call, signal), answer);
    case 'server_streaming':
      return (call: grpc.ServerWritableStream<Buffer, Buffer>) =>
        void answerStream(served, call, () => decodeMessage(served.method.input, call.request));
    case 'bidi_streaming':
      return (call: grpc.ServerDuplexStream<Buffer, Buffer>) =>
        void answerStream(served, call, (signal) => requestsOf(served.method, call, signal));
  }
}

async function answerOnce(
  served: Served,
  call: grpc.ServerUnaryCall<Buffer, Buffer> | grpc.ServerReadableStream<Buffer, Buffer>,
  readInput: (signal: AbortSignal) => unknown,
  answer: grpc.sendUnaryData<Buffer>,
): Promise<void> {
  const { context, release } = contextOf(call);
  try {
    const allowed = (await served.intercept(served.method.localName, context)) ?? context;
    const output = await (served.handler(readInput(context.signal), allowed) as Promise<Output>);
    const bytes = encodeMessage(served.method.output, output);
    release();
    answer(null, bytes);
  } catch (error) {
    answer(statusOf(served, error, context.signal));
  }
}

async function answerStream(
  served: Served,
  call: grpc.ServerWritableStream<Buffer, Buffer> | grpc.ServerDuplexStream<Buffer, Buffer>,
  readInput: (signal: AbortSignal) => unknown,
): Promise<void> {
  const { context, release } = contextOf(call);
  try {
    const allowed = (await served.intercept(served.method.localName, context)) ?? context;
    const outputs = served.handler(readInput(context.signal), allowed) as AsyncIterable<Output>;
    for await (const output of outputs) await writeWithRoom(call, encodeMessage(served.method.output, output), context.signal);
    release();
    call.end();
  } catch (error) {
    const status = statusOf(served, error, context.signal);
    // A cancelled call is closed already: nobody would hear the status.
    if (!context.signal.aborted) call.emit('error', status);
  }
}

/** A cancelled call's requests end as if the caller had sent them all; that it was cancelled is told a turn later. */
function requestsOf(method: DescMethod, call: Readable, signal: AbortSignal): AsyncIterable<unknown> {
  const refuseHalf = async (): Promise<void> => {
    await setImmediate();
    if (signal.aborted) throw new RpcError('CANCELLED', 'the call was cancelled');
  };
  return incoming(call, (bytes) => decodeMessage(method.input, bytes), refuseHalf);
}

type AnyCall =
  | grpc.ServerUnaryCall<Buffer, Buffer>
  | grpc.ServerReadableStream<Buffer, Buffer>
  | grpc.ServerWritableStream<Buffer, Buffer>
  | grpc.ServerDuplexStream<Buffer, Buffer>;

/** Listens for cancellation until `release`: grpc-js calls it cancelled, too, when a call that ended well is closed. */
function contextOf(call: AnyCall): { readonly context: CallContext; readonly release: () => void } {
  const controller = new AbortController();
  const emitter: EventEmitter = call;
  const abort = (): void => controller.abort();
  if (call.cancelled) abort();
  else emitter.once('cancelled', abort);
  const metadata = new Map<string, string>();
  for (const [name, value] of Object.entries(call.metadata.getMap())) if (typeof value === 'string') metadata.set(name, value);
  // Read now: once the connection is gone, so is the certificate. Costs 80 µs, and next to nothing where none was asked for.
  const commonName: unknown = call.getAuthContext().sslPeerCertificate?.subject?.CN;
  const context: CallContext = {
    signal: controller.signal,
    metadata,
    peer: call.getPeer(),
    peerCommonName: typeof commonName === 'string' ? commonName : null,
  };
  return { context, release: () => void emitter.off('cancelled', abort) };
}

/** Whatever breaks once the caller has gone away is normal life, not a fault. */
function statusOf({ method, onFault }: Served, error: unknown, signal: AbortSignal): { readonly code: number; readonly details: string } {
  if (error instanceof RpcError) return { code: rpcCodes[error.code], details: error.message.slice(0, statusMessageCharsMax) };
  if (signal.aborted) return { code: rpcCodes.CANCELLED, details: 'the call was cancelled' };
  onFault({ method: method.name, error });
  return { code: rpcCodes.INTERNAL, details: faultMessage };
}
