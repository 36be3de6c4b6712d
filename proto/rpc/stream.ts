/**
 * grpc-js's streams as typed async iteration, with backpressure both ways: a reader that does not ask for the next
 * message stops the peer through HTTP/2 flow control, a writer waits for `drain`.
 */
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { rpcErrorFrom } from './foreignError.ts';

/**
 * Messages as they arrive; fails with `RpcError`. Each iteration goes on where the last one stopped, and leaving it early
 * leaves the stream open: a session reads its first message apart from the rest, and a duplex stream must live on to be
 * written to. `atEnd` may still refuse an end that looks like a good one.
 */
export function incoming<T>(
  stream: Readable,
  decode: (bytes: Uint8Array) => T,
  atEnd: () => Promise<void> = async () => undefined,
): AsyncIterable<T> {
  return {
    async *[Symbol.asyncIterator]() {
      try {
        for await (const bytes of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) yield decode(bytes);
        await atEnd();
      } catch (error) {
        throw rpcErrorFrom(error);
      }
    },
  };
}

/** Writes one message; resolves when there is room for the next. Rejects with an AbortError when the signal aborts first. */
export async function writeWithRoom(stream: Writable, bytes: Buffer, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (!stream.write(bytes)) await once(stream, 'drain', { signal });
}
