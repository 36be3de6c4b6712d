import type { AgentService, LogRequest, SendLogsRequestSchema } from '#gen/shoal/v1/agent_pb.js';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Client } from '#rpc/call.ts';
import { jobUid } from '#vocabulary/ids.ts';
import type { LogQuery, LogSource } from '../../ports/logs.ts';

type Chunk = MessageInitShape<typeof SendLogsRequestSchema>;

/** Answers one request for logs on a stream of its own, until all is sent or the reader goes away. */
export async function sendLogs(
  client: Client<typeof AgentService>,
  request: LogRequest,
  logs: LogSource,
  signal: AbortSignal,
): Promise<void> {
  const leaving = new AbortController();
  const reading = AbortSignal.any([signal, leaving.signal]);
  try {
    await client.sendLogs(chunksOf(request, logs, reading), { signal });
  } finally {
    // A reader that follows a silent rank would otherwise wait for its next line.
    leaving.abort();
  }
}

/** An empty chunk when there is nothing: so that the reader hears that it was looked for. */
async function* chunksOf(request: LogRequest, logs: LogSource, signal: AbortSignal): AsyncGenerator<Chunk> {
  const { requestId } = request;
  let sent = false;
  for await (const chunk of logs.readLogs(queryOf(request), signal)) {
    sent = true;
    yield { requestId, rank: chunk.rank, stream: chunk.stream, data: Uint8Array.from(chunk.data), error: chunk.error };
  }
  if (!sent) yield { requestId, rank: request.ranks[0] ?? 0, stream: 'stdout' };
}

function queryOf({ id, ranks, stream, follow, tail }: LogRequest): LogQuery {
  return {
    id: { job: jobUid(id?.jobUid ?? ''), attempt: id?.attempt ?? 0, worker: id?.worker ?? 0 },
    ranks,
    stream: stream === 'stdout' || stream === 'stderr' ? stream : null,
    follow,
    tail: tail ?? null,
  };
}
