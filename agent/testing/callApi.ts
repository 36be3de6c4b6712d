import { request } from 'node:http';

export interface ApiAnswer {
  readonly status: number;
  readonly json: unknown;
}

export interface ApiCall {
  readonly socketPath: string;
  readonly path: string;
  /** Absent: GET. */
  readonly body?: string | object;
  readonly rank?: number | string;
  readonly signal?: AbortSignal;
}

/** One request of a program to its agent. */
export async function callApi({ socketPath, path, body, rank, signal }: ApiCall): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const headers = rank === undefined ? {} : { 'X-Shoal-Rank': String(rank) };
    const options = {
      socketPath,
      path,
      method: body === undefined ? 'GET' : 'POST',
      headers,
      agent: false,
      ...(signal === undefined ? {} : { signal }),
    };
    const call = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (text += part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, json: JSON.parse(text) }));
    });
    call.on('error', reject);
    call.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
}
