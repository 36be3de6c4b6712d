/**
 * Bytes and messages. grpc-js is given bytes only, so that a message which does not encode or decode fails in our
 * own code, with our own code and words, and not inside the transport.
 */
import { create, fromBinary, toBinary, type DescMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import { RpcError } from './rpcError.ts';

/** Largest message either way, in bytes. */
const messageBytesMax = 16 * 2 ** 20;

/** Of servers and channels alike. */
export const messageLimits = {
  'grpc.max_receive_message_length': messageBytesMax,
  'grpc.max_send_message_length': messageBytesMax,
} as const;

/** The (de)serializer that grpc-js is given on both sides. */
export const passBytes = (bytes: Buffer): Buffer => bytes;

export function encodeMessage<M extends DescMessage>(schema: M, init: MessageInitShape<M>): Buffer {
  const bytes = toBinary(schema, create(schema, init));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Throws INVALID_ARGUMENT for bytes that are not such a message. */
export function decodeMessage<M extends DescMessage>(schema: M, bytes: Uint8Array): MessageShape<M> {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw new RpcError('INVALID_ARGUMENT', `these ${bytes.byteLength} bytes are not a ${schema.typeName}: ${String(error)}`);
  }
}
