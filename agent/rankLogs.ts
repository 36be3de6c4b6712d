/** Logs of ranks, put together from those of one rank and one stream. */
import { readLogs } from './adapters/process/readLogs.ts';
import type { LogChunk, LogQuery, LogSource } from './ports/logs.ts';
import { mergeChunks } from './mergeChunks.ts';
import type { WorkerId } from '#vocabulary/job.ts';

export interface RankLogOptions {
  /** The folder of the process runtime. */
  readonly root: string;
  /** Whether the rank may still write. */
  readonly isLive: (id: WorkerId, rank: number) => boolean;
}

export function createRankLogs({ root, isLive }: RankLogOptions): LogSource {
  return {
    readLogs(query, signal) {
      const streams = query.stream === null ? (['stdout', 'stderr'] as const) : [query.stream];
      const sources = query.ranks.flatMap((rank) => streams.map((stream) => readOne(query, { rank, stream }, signal)));
      return mergeChunks(sources);
    },
  };

  async function* readOne(
    query: LogQuery,
    { rank, stream }: Pick<LogChunk, 'rank' | 'stream'>,
    signal: AbortSignal,
  ): AsyncGenerator<LogChunk> {
    const { id, tail, follow } = query;
    try {
      for await (const data of readLogs({ root, id, rank, stream, tail, follow, isLive: () => isLive(id, rank) }, signal)) {
        yield { rank, stream, data, error: '' };
      }
    } catch (error) {
      yield { rank, stream, data: new Uint8Array(), error: error instanceof Error ? error.message : String(error) };
    }
  }
}
