import type { Reply } from '#core/inputs.ts';
import { ForecastsBusy } from '#controller/forecasts/forecastDesk.ts';
import { NotTaken } from '#controller/loop/inbox.ts';
import type { RpcCode } from '#rpc/rpcError.ts';
import { RpcError } from '#rpc/rpcError.ts';

/** Why the loop did not take something, as callers are told it: the one place where its errors become statuses. */
export function rpcErrorOf(error: unknown): Error {
  if (error instanceof ForecastsBusy) return new RpcError('RESOURCE_EXHAUSTED', error.message);
  if (!(error instanceof NotTaken)) return error instanceof Error ? error : new Error(String(error));
  const codes: Readonly<Record<NotTaken['why'], RpcCode>> = {
    full: 'RESOURCE_EXHAUSTED',
    degraded: 'UNAVAILABLE',
    closed: 'UNAVAILABLE',
    unknown: 'ABORTED',
  };
  return new RpcError(codes[error.why], error.message);
}

/** The reply if it is no refusal; else throws it as a status. */
export function accepted(reply: Reply): Exclude<Reply, { kind: 'refused' }> {
  if (reply.kind === 'refused') throw new RpcError(reply.code, reply.message);
  return reply;
}

/** Runs a handler's work with the loop's errors as statuses. */
export async function asRpc<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw rpcErrorOf(error);
  }
}
