/**
 * A watch that outlives a restart of the controller: it goes on after the last revision that it has seen, and starts
 * from everything when that revision is no longer kept. It gives up when the server stays away too long.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { WatchResponseSchema, type WatchResponse } from '#gen/shoal/v1/control_pb.js';
import { RpcError } from '#rpc/rpcError.ts';
import type { ControlClient } from './connection.ts';

/** How long an unreachable server is waited for. */
const patienceMs = 60_000;
const pauseMs = 500;
/** Type of a change that says: all that was sent before is void, everything comes again. */
export const restarted = 'RESTARTED';

export interface WatchWanted {
  readonly kind: string;
  readonly names?: string[];
  readonly about?: { readonly kind: string; readonly name: string };
  readonly table?: boolean;
  readonly labelSelector?: Record<string, string>;
}

/** Changes after `afterRevision` (0: everything first). Ends only when `signal` is aborted. */
export async function* followChanges(
  client: ControlClient,
  wanted: WatchWanted,
  afterRevision: bigint,
  signal: AbortSignal,
): AsyncGenerator<WatchResponse> {
  let seen = afterRevision;
  let silentMs = 0;
  for (;;) {
    try {
      for await (const change of client.watch({ ...wanted, afterRevision: seen }, { signal })) {
        silentMs = 0;
        yield change;
        if (change.revision > seen) seen = change.revision;
      }
      silentMs += pauseMs;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof RpcError)) throw error;
      if (error.code === 'OUT_OF_RANGE') {
        seen = 0n;
        yield create(WatchResponseSchema, { type: restarted });
      } else if (!isPassing(error) || silentMs >= patienceMs) throw error;
      silentMs += pauseMs;
    }
    if (signal.aborted || !(await pause(signal))) return;
  }
}

/** The controller restarts or steps down. */
function isPassing(error: RpcError): boolean {
  return error.code === 'UNAVAILABLE' || error.code === 'CANCELLED';
}

async function pause(signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(pauseMs, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}
