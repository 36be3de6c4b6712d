import { rpcCodes, RpcError, type RpcCode } from './rpcError.ts';

const namesByCode: ReadonlyMap<number, RpcCode> = new Map(Object.entries(rpcCodes).map(([name, code]) => [code, name as RpcCode]));

/** The one place where what grpc-js, Node's streams or a caller's own iterator threw becomes an `RpcError`. */
export function rpcErrorFrom(error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  if (!(error instanceof Error)) return new RpcError('UNKNOWN', String(error));
  const { code, details } = error as Error & { readonly code?: unknown; readonly details?: unknown };
  if (typeof code === 'number' && typeof details === 'string') return new RpcError(namesByCode.get(code) ?? 'UNKNOWN', details);
  if (error.name === 'AbortError' || code === 'ERR_STREAM_PREMATURE_CLOSE') return new RpcError('CANCELLED', 'the call was cancelled');
  return new RpcError('UNKNOWN', error.message);
}
