/**
 * The workload API: HTTP/1.1 with JSON bodies on a Unix socket for each worker. Whoever may open the socket is the
 * worker: it belongs to the user that the ranks run as, mode 0600, in a folder that can be passed but not listed.
 * Its path is made from the worker's name, so that it is the same after a restart of the agent, and short: Linux
 * allows 107 bytes, macOS 103.
 */
import { createHash } from 'node:crypto';
import { chmod, chown, mkdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { assert } from '#vocabulary/assert.ts';
import { workerKey, type WorkerId } from '#vocabulary/job.ts';
import { limits } from '../../limits.ts';
import type { WorkloadDesk, WorkloadSockets } from '../../ports/workload.ts';
import { answerRequest, type HttpAnswer } from './answerRequest.ts';

const pathBytesMax = 103;

export interface SocketOptions {
  /** Absolute; made when missing. */
  readonly folder: string;
  readonly desk: WorkloadDesk;
  /** Who the ranks run as; null: the agent's own user. */
  readonly owner: { readonly uid: number; readonly gid: number } | null;
  readonly log: Logger;
}

/** Throws when the folder's path is too long for a socket in it. */
export function createUnixSockets(options: SocketOptions): WorkloadSockets {
  const servers = new Map<string, Server>();
  const pathOf = (id: WorkerId): string =>
    join(options.folder, `${createHash('sha256').update(workerKey(id)).digest('hex').slice(0, 16)}.sock`);
  const longest = join(options.folder, '0123456789abcdef.sock');
  assert(
    Buffer.byteLength(longest) <= pathBytesMax,
    `${longest} is longer than the ${pathBytesMax} bytes that a socket's path may have: choose a shorter --data`,
  );
  return {
    pathOf,
    async open(id) {
      if (servers.has(workerKey(id))) return;
      const path = pathOf(id);
      await mkdir(options.folder, { recursive: true });
      await chmod(options.folder, 0o711);
      await rm(path, { force: true });
      const server = createApiServer(id, options);
      await listenAt(server, path);
      servers.set(workerKey(id), server);
      if (options.owner !== null) await chown(path, options.owner.uid, options.owner.gid);
      await chmod(path, 0o600);
    },
    async close(id) {
      const server = servers.get(workerKey(id));
      servers.delete(workerKey(id));
      if (server !== undefined) await closeServer(server);
      await rm(pathOf(id), { force: true });
    },
  };
}

function createApiServer(id: WorkerId, { desk, log }: SocketOptions): Server {
  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 30_000 }, (request, response) => {
    serve(id, desk, request, response).catch((error: unknown) => {
      log.error({ worker: workerKey(id), error: error instanceof Error ? error.message : String(error) }, 'a workload request failed');
      response.destroy();
    });
  });
  server.maxConnections = limits.workloadConnectionsMax;
  return server;
}

async function serve(id: WorkerId, desk: WorkloadDesk, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const away = new AbortController();
  response.once('close', () => away.abort());
  const url = new URL(request.url ?? '/', 'http://agent');
  const rankHeader = request.headers['x-shoal-rank'];
  const body = await readBody(request);
  const answer: HttpAnswer =
    body === null
      ? { status: 413, json: { error: { field: '', message: `the body is longer than ${limits.workloadBodyBytesMax} bytes` } } }
      : await answerRequest(
          {
            id,
            method: request.method ?? 'GET',
            path: url.pathname,
            query: url.searchParams,
            rank: typeof rankHeader === 'string' ? rankHeader : url.searchParams.get('rank'),
            body,
          },
          desk,
          away.signal,
        );
  if (away.signal.aborted) return;
  const text = JSON.stringify(answer.json);
  if (body === null) response.setHeader('connection', 'close');
  response.writeHead(answer.status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

/** Null: too long. What is over the limit is not kept. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    if (bytes <= limits.workloadBodyBytesMax) chunks.push(chunk);
    else if (bytes > 16 * limits.workloadBodyBytesMax) return null;
  }
  return bytes > limits.workloadBodyBytesMax ? null : Buffer.concat(chunks).toString('utf8');
}

async function listenAt(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
