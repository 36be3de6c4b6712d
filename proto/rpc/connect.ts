/**
 * A service as typed functions. A call starts when its answer is first asked for (a unary call at once, a stream at
 * the first message read); leaving the iteration of a stream cancels the call. Nothing is retried here.
 */
import * as grpc from '@grpc/grpc-js';
import type { DescMethod, DescService, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { CallOptions, Client } from './call.ts';
import { rpcErrorFrom } from './foreignError.ts';
import { decodeMessage, encodeMessage, messageLimits, passBytes } from './message.ts';
import { RpcError } from './rpcError.ts';
import { incoming, writeWithRoom } from './stream.ts';

export interface ConnectOptions {
  /** host:port. */
  readonly address: string;
  readonly credentials: grpc.ChannelCredentials;
  /** Text headers of each call, asked for at its start, e.g. `authorization`. */
  readonly metadata?: () => Readonly<Record<string, string>>;
  readonly channelOptions?: grpc.ChannelOptions;
}

/**
 * One connection of its own for each client, so that `close` closes it; reconnection is tried every 0.1 to 2 s, since
 * grpc-js's own 2 minutes would outlast any lease. Its retries are off: they would buffer what flow control holds back.
 */
const channelDefaults: grpc.ChannelOptions = {
  ...messageLimits,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2000,
  'grpc.enable_retries': 0,
};

export function connect<S extends DescService>(service: S, options: ConnectOptions): Client<S> & { close(): void } {
  const { address, credentials, channelOptions } = options;
  const channel = new grpc.Client(address, credentials, { ...channelDefaults, ...proxyOptions(address), ...channelOptions });
  const calls: Record<string, unknown> = { close: () => channel.close() };
  for (const method of service.methods) {
    const path = `/${service.typeName}/${method.name}`;
    calls[method.localName] = callOf({ channel, path, method, metadata: () => metadataOf(options) });
  }
  return calls as Client<S> & { close(): void };
}

/** grpc-js follows https_proxy even to the machine itself, where no proxy can reach (1.14.7). */
function proxyOptions(address: string): grpc.ChannelOptions {
  return /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/.test(address) ? { 'grpc.enable_http_proxy': 0 } : {};
}

interface Callable {
  readonly channel: grpc.Client;
  readonly path: string;
  readonly method: DescMethod;
  readonly metadata: () => grpc.Metadata;
}
type Input = MessageInitShape<DescMethod['input']>;
type Output = MessageShape<DescMethod['output']>;

function callOf(callable: Callable): unknown {
  switch (callable.method.methodKind) {
    case 'unary':
      return (request: Input, options: CallOptions = {}) => callUnary(callable, request, options);
    case 'server_streaming':
      return (request: Input, options: CallOptions = {}) => callServerStream(callable, request, options);
    case 'client_streaming':
      return (requests: AsyncIterable<Input>, options: CallOptions = {}) => callClientStream(callable, requests, options);
    case 'bidi_streaming':
      return (requests: AsyncIterable<Input>, options: CallOptions = {}) => callBidirectional(callable, requests, options);
  }
}

async function callUnary({ channel, path, method, metadata }: Callable, request: Input, options: CallOptions): Promise<Output> {
  throwIfCancelled(options);
  const bytes = encodeMessage(method.input, request);
  const answer = await new Promise<Buffer>((resolve, reject) => {
    const call = channel.makeUnaryRequest(path, passBytes, passBytes, bytes, metadata(), deadlineOf(options), settle(resolve, reject));
    cancelOnAbort(call, options);
  });
  return decodeMessage(method.output, answer);
}

async function* callServerStream(
  { channel, path, method, metadata }: Callable,
  request: Input,
  options: CallOptions,
): AsyncGenerator<Output> {
  throwIfCancelled(options);
  const bytes = encodeMessage(method.input, request);
  const call = channel.makeServerStreamRequest(path, passBytes, passBytes, bytes, metadata(), deadlineOf(options));
  cancelOnAbort(call, options);
  try {
    yield* incoming(call, (answer) => decodeMessage(method.output, answer));
  } catch (error) {
    throw rpcErrorFrom(error);
  } finally {
    call.cancel();
  }
}

async function callClientStream(
  { channel, path, method, metadata }: Callable,
  requests: AsyncIterable<Input>,
  options: CallOptions,
): Promise<Output> {
  throwIfCancelled(options);
  const answer = await new Promise<Buffer>((resolve, reject) => {
    const ended = new AbortController();
    const call = channel.makeClientStreamRequest(path, passBytes, passBytes, metadata(), deadlineOf(options), settle(resolve, reject));
    call.on('status', () => ended.abort());
    cancelOnAbort(call, options);
    pump({ call, method, requests, onFailure: reject }, ended.signal);
  });
  return decodeMessage(method.output, answer);
}

async function* callBidirectional(
  { channel, path, method, metadata }: Callable,
  requests: AsyncIterable<Input>,
  options: CallOptions,
): AsyncGenerator<Output> {
  throwIfCancelled(options);
  const ended = new AbortController();
  let failure: unknown = null;
  const call = channel.makeBidiStreamRequest(path, passBytes, passBytes, metadata(), deadlineOf(options));
  call.on('status', () => ended.abort());
  cancelOnAbort(call, options);
  pump(
    {
      call,
      method,
      requests,
      onFailure: (error) => {
        failure = error;
      },
    },
    ended.signal,
  );
  try {
    yield* incoming(call, (answer) => decodeMessage(method.output, answer));
  } catch (error) {
    throw rpcErrorFrom(failure ?? error);
  } finally {
    ended.abort();
    call.cancel();
  }
}

interface Pumped {
  readonly call: grpc.ClientWritableStream<Buffer> | grpc.ClientDuplexStream<Buffer, Buffer>;
  readonly method: DescMethod;
  readonly requests: AsyncIterable<Input>;
  /** What the iterator or the encoding threw; the call is cancelled with it. */
  readonly onFailure: (error: unknown) => void;
}

/** Sends what the caller's iterator gives, as fast as the peer takes it, until either is at its end. Never rejects. */
function pump({ call, method, requests, onFailure }: Pumped, ended: AbortSignal): void {
  const iterator = requests[Symbol.asyncIterator]();
  // An iterator that waits for something of its own would wait for ever: it is told that nobody reads on.
  ended.addEventListener('abort', () => void Promise.resolve(iterator.return?.()).catch(() => undefined), { once: true });
  const run = async (): Promise<void> => {
    for (;;) {
      const next = await iterator.next();
      if (ended.aborted) return;
      if (next.done === true) return void call.end();
      await writeWithRoom(call, encodeMessage(method.input, next.value), ended);
    }
  };
  void run().catch((error: unknown) => {
    if (ended.aborted) return;
    onFailure(rpcErrorFrom(error));
    call.cancel();
  });
}

function settle(resolve: (bytes: Buffer) => void, reject: (error: RpcError) => void): grpc.requestCallback<Buffer> {
  return (error, bytes) => {
    if (error !== null) reject(rpcErrorFrom(error));
    else if (bytes === undefined) reject(new RpcError('INTERNAL', 'the server answered OK without a message'));
    else resolve(bytes);
  };
}

/** Also keeps the late error of a call that nobody reads any more from ending the process. */
function cancelOnAbort(call: grpc.ClientUnaryCall, { signal }: CallOptions): void {
  call.on('error', () => undefined);
  if (signal === undefined) return;
  const cancel = (): void => call.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  call.on('status', () => signal.removeEventListener('abort', cancel));
}

function throwIfCancelled({ signal }: CallOptions): void {
  if (signal?.aborted === true) throw new RpcError('CANCELLED', 'the call was cancelled before it started');
}

function deadlineOf({ deadlineMs }: CallOptions): grpc.CallOptions {
  return deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
}

function metadataOf({ metadata }: ConnectOptions): grpc.Metadata {
  const headers = new grpc.Metadata();
  for (const [name, value] of Object.entries(metadata?.() ?? {})) headers.set(name, value);
  return headers;
}
