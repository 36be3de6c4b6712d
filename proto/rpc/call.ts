import type { DescMessage, DescMethod, DescService, MessageInitShape, MessageShape } from '@bufbuild/protobuf';

/** What a handler knows of a call besides its request. */
export interface CallContext {
  /** Aborted when the caller goes away, the deadline passes or the server closes. */
  readonly signal: AbortSignal;
  /** First value of each text header, by lower-case name. */
  readonly metadata: ReadonlyMap<string, string>;
  /** host:port of the caller. */
  readonly peer: string;
  /** Common name of the verified client certificate; null without one. */
  readonly peerCommonName: string | null;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly deadlineMs?: number;
}

type Unary<I extends DescMessage, O extends DescMessage> = (request: MessageShape<I>, context: CallContext) => Promise<MessageInitShape<O>>;
type ServerStream<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  context: CallContext,
) => AsyncIterable<MessageInitShape<O>>;
type ClientStream<I extends DescMessage, O extends DescMessage> = (
  requests: AsyncIterable<MessageShape<I>>,
  context: CallContext,
) => Promise<MessageInitShape<O>>;
type Bidirectional<I extends DescMessage, O extends DescMessage> = (
  requests: AsyncIterable<MessageShape<I>>,
  context: CallContext,
) => AsyncIterable<MessageInitShape<O>>;

/** A service as the server writes it: one function a method. Throw `RpcError` to answer with a status. */
export type Handlers<S extends DescService> = {
  readonly [K in keyof S['method']]: HandlerOf<S['method'][K]>;
};
export type HandlerOf<M extends DescMethod> = M['methodKind'] extends 'unary'
  ? Unary<M['input'], M['output']>
  : M['methodKind'] extends 'server_streaming'
    ? ServerStream<M['input'], M['output']>
    : M['methodKind'] extends 'client_streaming'
      ? ClientStream<M['input'], M['output']>
      : Bidirectional<M['input'], M['output']>;

/** A service as the client calls it. Every failure is an `RpcError`. */
export type Client<S extends DescService> = {
  readonly [K in keyof S['method']]: CallOf<S['method'][K]>;
};
type CallOf<M extends DescMethod> = M['methodKind'] extends 'unary'
  ? (request: MessageInitShape<M['input']>, options?: CallOptions) => Promise<MessageShape<M['output']>>
  : M['methodKind'] extends 'server_streaming'
    ? (request: MessageInitShape<M['input']>, options?: CallOptions) => AsyncIterable<MessageShape<M['output']>>
    : M['methodKind'] extends 'client_streaming'
      ? (requests: AsyncIterable<MessageInitShape<M['input']>>, options?: CallOptions) => Promise<MessageShape<M['output']>>
      : (requests: AsyncIterable<MessageInitShape<M['input']>>, options?: CallOptions) => AsyncIterable<MessageShape<M['output']>>;
