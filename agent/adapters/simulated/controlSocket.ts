import { chmod, mkdir, rm, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { type FaultCommand, parseFaultCommand } from './faults.ts';

/**
 * Where faults are injected: HTTP with JSON on a Unix socket that only its owner may use.
 *
 *   GET  /v1/gpus     the devices and their health
 *   POST /v1/faults   {"gpu": 1, "fault": "xid", "code": 79} | {"gpu": 1, "fault": "gpu-lost"} | {"gpu": 1, "heal": true}
 *
 * Both answer {"gpus": [...]}; a bad request gets {"error": "..."} with 400, 404, 405 or 413 and changes nothing.
 *
 *   curl --unix-socket gpus.sock -d '{"gpu":1,"fault":"xid","code":79}' http://gpus/v1/faults
 */
export interface ControlSocket {
  /** Ends open connections and removes the socket. */
  close(): Promise<void>;
}

export interface ControlledGpus {
  readonly count: number;
  apply(command: FaultCommand): void;
  describe(): unknown;
}

const bodyBytesMax = 4096;
/** Of the kernel's sockaddr_un, without its closing zero; macOS has 4 less. */
const socketPathBytesMax = process.platform === 'linux' ? 107 : 103;

export async function openControlSocket(path: string, gpus: ControlledGpus): Promise<ControlSocket> {
  if (Buffer.byteLength(path) > socketPathBytesMax)
    throw new Error(`control socket ${path} is longer than the ${socketPathBytesMax} bytes that a socket's path may have`);
  await mkdir(dirname(path), { recursive: true });
  await removeStale(path);
  const server = createServer((request, response) => {
    answer(request, gpus).then(
      (reply) => send(response, reply),
      (error: unknown) => send(response, { status: 500, body: { error: String(error) } }),
    );
  });
  server.requestTimeout = 5000;
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(path, resolve);
  await listening;
  await chmod(path, 0o600);
  return {
    async close() {
      const { promise: closed, resolve: done } = Promise.withResolvers<void>();
      server.close(() => done());
      server.closeAllConnections();
      await closed;
      await rm(path, { force: true });
    },
  };
}

interface Reply {
  readonly status: number;
  readonly body: unknown;
}

async function answer(request: IncomingMessage, gpus: ControlledGpus): Promise<Reply> {
  const state = (): Reply => ({ status: 200, body: { gpus: gpus.describe() } });
  const wantedMethod = request.url === '/v1/gpus' ? 'GET' : request.url === '/v1/faults' ? 'POST' : null;
  if (wantedMethod === null) return refuse(404, `${request.url} is not here; there are GET /v1/gpus and POST /v1/faults`);
  if (request.method !== wantedMethod) return refuse(405, `${request.url} takes ${wantedMethod}, not ${request.method}`);
  if (wantedMethod === 'GET') return state();
  const text = await readBody(request);
  if (text === null) return refuse(413, `the body is larger than ${bodyBytesMax} bytes`);
  const body = parseJson(text);
  if (body === undefined) return refuse(400, 'the body is not JSON');
  const parsed = parseFaultCommand(body, gpus.count);
  if (!parsed.ok) return refuse(400, parsed.reason);
  gpus.apply(parsed.command);
  return state();
}

/** Null when it is too large; the rest is read and dropped, so that the caller hears the answer. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    if (!(chunk instanceof Buffer)) continue;
    bytes += chunk.length;
    if (bytes <= bodyBytesMax) chunks.push(chunk);
  }
  return bytes > bodyBytesMax ? null : Buffer.concat(chunks).toString('utf8');
}

/** Undefined where the text is no JSON: no JSON text has that value. */
function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

function refuse(status: number, error: string): Reply {
  return { status, body: { error } };
}

function send(response: ServerResponse, reply: Reply): void {
  response.writeHead(reply.status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(reply.body)}\n`);
}

/** A socket that nobody listens at was left by an agent that was killed. Anything else stays, and listening fails. */
async function removeStale(path: string): Promise<void> {
  const isSocket = await stat(path).then(
    (entry) => entry.isSocket(),
    () => false,
  );
  if (isSocket && !(await isAnswered(path))) await rm(path, { force: true });
}

async function isAnswered(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const probe = connect(path);
  probe.once('connect', () => resolve(true));
  probe.once('error', () => resolve(false));
  try {
    return await promise;
  } finally {
    probe.destroy();
  }
}
