/** One request of the workload API, from its parts to the answer. */
import type { WorkerId } from '#vocabulary/job.ts';
import type { Answer, Caller, WorkloadDesk } from '../../ports/workload.ts';
import { checkpointJson, selfJson, stepJson, suspensionJson } from './answers.ts';
import { parseBody, parseCheckpoint, parseProgress, parseRank, parseRound, parseWaitMs, type Parsed } from './parseRequest.ts';

export interface HttpRequest {
  readonly id: WorkerId;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** As the caller gave it; null: it did not. */
  readonly rank: string | null;
  readonly body: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly json: object;
}

/** Which method each path takes. */
const methods: Readonly<Record<string, string>> = {
  '/v1/self': 'GET',
  '/v1/suspend': 'GET',
  '/v1/progress': 'POST',
  '/v1/checkpoint': 'POST',
};

export async function answerRequest(request: HttpRequest, desk: WorkloadDesk, signal: AbortSignal): Promise<HttpAnswer> {
  const method = methods[request.path];
  if (method === undefined) return failure(404, '', `${request.path} does not exist; known are ${Object.keys(methods).join(', ')}`);
  if (method !== request.method) return failure(405, '', `${request.path} takes ${method}, not ${request.method}`);
  const ranks = desk.ranksOf(request.id);
  if (ranks.length === 0) return failure(410, '', 'this worker is not (any longer) known to the agent');
  const rank = parseRank(request.rank, ranks);
  if (!rank.ok) return failure(400, rank.field, rank.message);
  const from: Caller = { id: request.id, rank: rank.value };
  switch (request.path) {
    case '/v1/self':
      return answered(desk.self(from), selfJson);
    case '/v1/suspend':
      return await answerSuspend(request, from, desk, signal);
    case '/v1/progress':
      return await answerPost(request, parseProgress, async (progress) => answered(await desk.progress(from, progress, signal), stepJson));
    default:
      return await answerPost(request, parseCheckpoint, async (checkpoint) =>
        answered(await desk.checkpoint(from, checkpoint, signal), checkpointJson),
      );
  }
}

async function answerSuspend({ query }: HttpRequest, from: Caller, desk: WorkloadDesk, signal: AbortSignal): Promise<HttpAnswer> {
  const waitMs = parseWaitMs(query.get('wait_s'));
  if (!waitMs.ok) return failure(400, waitMs.field, waitMs.message);
  const round = parseRound(query.get('round'));
  if (!round.ok) return failure(400, round.field, round.message);
  return answered(await desk.suspension(from, { round: round.value, waitMs: waitMs.value }, signal), suspensionJson);
}

async function answerPost<T>(
  { body }: HttpRequest,
  parse: (fields: Readonly<Record<string, unknown>>) => Parsed<T>,
  answer: (value: T) => Promise<HttpAnswer>,
): Promise<HttpAnswer> {
  const fields = parseBody(body);
  if (!fields.ok) return failure(400, fields.field, fields.message);
  const value = parse(fields.value);
  return value.ok ? await answer(value.value) : failure(400, value.field, value.message);
}

const statuses = { invalid: 400, gone: 410, unavailable: 503 } as const;

function answered<T>(answer: Answer<T>, toJson: (value: T) => object): HttpAnswer {
  return answer.ok ? { status: 200, json: toJson(answer.value) } : failure(statuses[answer.kind], answer.field, answer.message);
}

const failure = (status: number, field: string, message: string): HttpAnswer => ({ status, json: { error: { field, message } } });
