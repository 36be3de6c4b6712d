import { randomUUID } from 'node:crypto';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { currentAttempt } from '#core/state/state.ts';
import type { AttemptView, JobView, StateView } from '#core/state/view.ts';
import type { SendLogsRequest } from '#gen/shoal/v1/agent_pb.js';
import type { LogsRequest, LogsResponseSchema } from '#gen/shoal/v1/control_pb.js';
import { RpcError } from '#rpc/rpcError.ts';
import { jobName } from '#vocabulary/ids.ts';
import type { NodeName } from '#vocabulary/ids.ts';
import { processesOf } from '#vocabulary/job.ts';
import { limits } from '../limits.ts';
import type { Sessions, WantedLogs } from '../loop/sessions.ts';
import { Channel } from './channel.ts';

type LogsResponse = MessageInitShape<typeof LogsResponseSchema>;

interface Reader {
  readonly node: NodeName;
  readonly attempt: number;
  readonly channel: Channel<LogsResponse>;
  /** Called when the node's stream for it has ended. */
  readonly done: () => void;
}

/**
 * Brings the ranks' output from their nodes to a reader: asks each node over its session, and each answers on a stream
 * of its own, matched by the request's id. A slow reader slows the nodes' streams, not their sessions.
 */
export class LogDesk {
  readonly #sessions: Sessions;
  readonly #readers = new Map<string, Reader>();

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
  }

  async *read(state: StateView, request: LogsRequest, signal: AbortSignal): AsyncGenerator<LogsResponse> {
    if (this.#readers.size >= limits.logReadersMax)
      throw new RpcError('RESOURCE_EXHAUSTED', `${limits.logReadersMax} streams of logs are open already`);
    const { attempt, shares } = findShares(state, request);
    const channel = new Channel<LogsResponse>(limits.logPiecesMax);
    const ids: string[] = [];
    let open = shares.length;
    const done = (): void => {
      open -= 1;
      if (open === 0) channel.close();
    };
    for (const share of shares) {
      const requestId = randomUUID();
      ids.push(requestId);
      this.#readers.set(requestId, { node: share.node, attempt, channel, done });
      if (this.#sessions.requestLogs(share.node, { ...share.wanted, requestId })) continue;
      for (const rank of share.wanted.ranks)
        channel.offer({ rank, node: share.node, attempt, error: `node ${share.node} is not connected` }, tooMany);
      this.#finish(requestId);
    }
    try {
      yield* channel.read(signal);
    } finally {
      for (const id of ids) this.#readers.delete(id);
    }
  }

  /** One node's answer to one request. Ends early when the reader has gone. */
  async receive(node: string, pieces: AsyncIterable<SendLogsRequest>): Promise<void> {
    let requestId = '';
    try {
      for await (const piece of pieces) {
        const reader = this.#readers.get(piece.requestId);
        // A node answers only what it was asked: another node's request is no business of its, and not its to end.
        if (reader === undefined || reader.node !== node) return;
        requestId = piece.requestId;
        const { rank, stream, data, error } = piece;
        if (data.length === 0 && error === '') continue;
        if (!(await reader.channel.write({ rank, node, attempt: reader.attempt, stream, data, error }))) return;
      }
    } finally {
      this.#finish(requestId);
    }
  }

  /** The node's session ended: its streams will not come. */
  nodeGone(node: NodeName): void {
    for (const [id, reader] of [...this.#readers]) {
      if (reader.node !== node) continue;
      reader.channel.offer({ rank: 0, node, attempt: reader.attempt, error: `the connection to node ${node} broke` }, tooMany);
      this.#finish(id);
    }
  }

  #finish(requestId: string): void {
    const reader = this.#readers.get(requestId);
    this.#readers.delete(requestId);
    reader?.done();
  }
}

const tooMany = (): Error => new RpcError('RESOURCE_EXHAUSTED', 'the logs come faster than they are read');

interface Share {
  readonly node: NodeName;
  readonly wanted: Omit<WantedLogs, 'requestId'>;
}

/** Which worker on which node holds the ranks that are asked for. */
function findShares(state: StateView, request: LogsRequest): { readonly attempt: number; readonly shares: readonly Share[] } {
  const uid = state.jobsByName.get(jobName(request.job));
  const job = uid === undefined ? undefined : state.jobs.get(uid);
  if (job === undefined) throw new RpcError('NOT_FOUND', `jobs "${request.job}" not found`);
  const attempt = findAttempt(job, request.attempt);
  const processes = processesOf(job.spec);
  const worldSize = processes * attempt.placement.length;
  const ranks = request.allRanks ? Array.from({ length: worldSize }, (_, rank) => rank) : request.ranks.length > 0 ? request.ranks : [0];
  const beyond = ranks.find((rank) => rank >= worldSize);
  if (beyond !== undefined) throw new RpcError('INVALID_ARGUMENT', `ranks: ${beyond} is not one of job ${job.name}'s: 0..${worldSize - 1}`);
  const byWorker = Map.groupBy(ranks, (rank) => Math.floor(rank / processes));
  const shares = [...byWorker].flatMap(([worker, its]) => {
    const place = attempt.placement[worker];
    if (place === undefined) return [];
    const { stream, follow, tail } = request;
    return [
      {
        node: place.node,
        wanted: { id: { job: job.uid, attempt: attempt.number, worker }, ranks: its, stream, follow, tail: tail ?? null },
      },
    ];
  });
  return { attempt: attempt.number, shares };
}

function findAttempt(job: JobView, number: number): AttemptView {
  const attempt = number === 0 ? (currentAttempt(job) ?? job.attempts.at(-1)) : job.attempts[number - 1];
  if (attempt !== undefined) return attempt;
  if (number === 0)
    throw new RpcError(
      'FAILED_PRECONDITION',
      `job ${job.name} has not been placed yet, so it has no logs; \`shoal describe job ${job.name}\` says why it waits`,
    );
  throw new RpcError('NOT_FOUND', `attempt: job ${job.name} has no attempt ${number}; it has had ${job.attempts.length}`);
}
