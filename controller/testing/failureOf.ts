import { RpcError } from '#rpc/rpcError.ts';

/** An error as a caller is told it: `NOT_FOUND: jobs "x" not found`. */
export function failureOf(error: unknown): string {
  return error instanceof RpcError ? `${error.code}: ${error.message}` : String(error);
}
