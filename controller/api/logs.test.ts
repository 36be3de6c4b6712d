import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failureOf } from '#controller/testing/failureOf.ts';
import type { RunningApi } from '#controller/testing/runApi.ts';
import { runApi } from '#controller/testing/runApi.ts';
import { settled } from '#controller/testing/manualClock.ts';
import { limits } from '#controller/limits.ts';
import type { SendLogsRequest } from '#gen/shoal/v1/agent_pb.js';
import { SendLogsRequestSchema } from '#gen/shoal/v1/agent_pb.js';
import { LogsRequestSchema, LogsResponseSchema } from '#gen/shoal/v1/control_pb.js';
import { FakeAgent } from '#test/simulation/fakeAgent.ts';
import { applyJob } from '#test/simulation/fakeCluster.ts';
import { nodeName } from '#vocabulary/ids.ts';
import type { WantedLogs } from '../loop/sessions.ts';

let api: RunningApi;
/** What each node was asked for. */
let asked: { readonly node: string; readonly wanted: WantedLogs }[];
beforeEach(async () => {
  api = await runApi();
  asked = [];
  for (const name of ['n1', 'n2']) await api.loop.offer({ kind: 'hello', hello: new FakeAgent({ name, rack: 'r1', gpus: 2 }).hello() });
  await api.loop.offer(applyJob('a', { workers: 2, gpusPerWorker: 2, processesPerWorker: 'gpu' }));
});
afterEach(() => api.stop());

function connect(name: string): void {
  const node = nodeName(name);
  api.sessions.register({
    node,
    send: () => undefined,
    requestLogs: (wanted) => asked.push({ node: name, wanted }),
    close: () => undefined,
  });
}

type Wish = Parameters<typeof create<typeof LogsRequestSchema>>[1];

/** Reads to the end: `rank 2 on n2: text`, or the error. */
async function read(wish: Wish, signal?: AbortSignal): Promise<readonly string[]> {
  const lines: string[] = [];
  try {
    for await (const init of api.control.logs(create(LogsRequestSchema, wish), await api.as(signal))) {
      const { rank, node, data, error } = create(LogsResponseSchema, init);
      lines.push(`rank ${rank} on ${node}: ${error === '' ? new TextDecoder().decode(data) : `(${error})`}`);
    }
  } catch (error) {
    lines.push(failureOf(error));
  }
  return lines;
}

async function* pieces(requestId: string, ...texts: readonly (readonly [number, string])[]): AsyncGenerator<SendLogsRequest> {
  for (const [rank, text] of texts)
    yield create(SendLogsRequestSchema, { requestId, rank, stream: 'stdout', data: new TextEncoder().encode(text) });
}

const requestOf = (node: string): string => asked.find((one) => one.node === node)?.wanted.requestId ?? '';

describe('logs', () => {
  test('of a job are rank 0’s, asked of the node where it stands, with the wish as it was', async () => {
    connect('n1');
    connect('n2');
    const reading = read({ job: 'a', follow: true, tail: 10, stream: 'stderr' });
    await settled();
    expect(asked.map(({ node, wanted: { requestId: _requestId, ...rest } }) => ({ node, ...rest }))).toEqual([
      { node: 'n1', id: { job: 'uid-a', attempt: 1, worker: 0 }, ranks: [0], stream: 'stderr', follow: true, tail: 10 },
    ]);
    await api.logs.receive('n1', pieces(requestOf('n1'), [0, 'hello\n']));
    expect(await reading).toEqual(['rank 0 on n1: hello\n']);
  });

  test('of all ranks come from all nodes, and end when each has ended', async () => {
    connect('n1');
    connect('n2');
    const reading = read({ job: 'a', allRanks: true });
    await settled();
    expect(asked.map(({ node, wanted }) => `${node} ${wanted.id.worker}: ${wanted.ranks.join()}`)).toEqual(['n1 0: 0,1', 'n2 1: 2,3']);
    await api.logs.receive('n2', pieces(requestOf('n2'), [2, 'two\n'], [3, 'three\n']));
    await api.logs.receive('n1', pieces(requestOf('n1'), [0, 'zero\n']));
    expect(await reading).toEqual(['rank 2 on n2: two\n', 'rank 3 on n2: three\n', 'rank 0 on n1: zero\n']);
  });

  test('of a node that is not connected say so for each rank; the others’ come', async () => {
    connect('n1');
    const reading = read({ job: 'a', ranks: [0, 2, 3] });
    await settled();
    await api.logs.receive('n1', pieces(requestOf('n1'), [0, 'zero\n']));
    expect(await reading).toEqual([
      'rank 2 on n2: (node n2 is not connected)',
      'rank 3 on n2: (node n2 is not connected)',
      'rank 0 on n1: zero\n',
    ]);
  });

  test('end with a word when the node’s connection breaks meanwhile', async () => {
    connect('n1');
    const reading = read({ job: 'a', follow: true });
    await settled();
    api.logs.nodeGone(nodeName('n2'));
    api.logs.nodeGone(nodeName('n1'));
    expect(await reading).toEqual(['rank 0 on n1: (the connection to node n1 broke)']);
  });

  test('end with nothing when the rank has written nothing', async () => {
    connect('n1');
    const reading = read({ job: 'a' });
    await settled();
    await api.logs.receive('n1', pieces(requestOf('n1'), [0, '']));
    expect(await reading).toEqual([]);
  });

  test('are taken from the node that was asked only', async () => {
    connect('n1');
    connect('n2');
    const reading = read({ job: 'a' });
    await settled();
    await api.logs.receive('n2', pieces(requestOf('n1'), [0, 'forged\n']));
    await api.logs.receive('n1', pieces(requestOf('n1'), [0, 'true\n']));
    expect(await reading).toEqual(['rank 0 on n1: true\n']);
  });

  test('stop being sent when the reader goes', async () => {
    connect('n1');
    const abort = new AbortController();
    const reading = read({ job: 'a', follow: true }, abort.signal);
    await settled();
    let sent = 0;
    const endless = async function* (): AsyncGenerator<SendLogsRequest> {
      for (;;) {
        sent += 1;
        yield* pieces(requestOf('n1'), [0, 'more\n']);
        await settled();
      }
    };
    const receiving = api.logs.receive('n1', endless());
    await settled();
    abort.abort();
    await reading;
    await receiving;
    expect(sent).toBeGreaterThan(0);
  });

  test('slow the node down when the reader is slow', async () => {
    connect('n1');
    const reader = api.control.logs(create(LogsRequestSchema, { job: 'a' }), api.alice)[Symbol.asyncIterator]();
    const first = reader.next();
    await settled();
    let sent = 0;
    const many = async function* (): AsyncGenerator<SendLogsRequest> {
      for (; sent < 500; sent += 1) yield* pieces(requestOf('n1'), [0, 'line\n']);
    };
    const receiving = api.logs.receive('n1', many());
    await first;
    await settled();
    expect(sent).toBeLessThanOrEqual(limits.logPiecesMax + 1);
    await reader.return?.(undefined);
    await receiving;
  });
});

describe('logs that cannot be had', () => {
  test.each([
    [{ job: 'nobody' }, 'NOT_FOUND: jobs "nobody" not found'],
    [{ job: 'a', ranks: [4] }, "INVALID_ARGUMENT: ranks: 4 is not one of job a's: 0..3"],
    [{ job: 'a', attempt: 3 }, 'NOT_FOUND: attempt: job a has no attempt 3; it has had 1'],
  ])('%j', async (wish, want) => {
    expect(await read(wish)).toEqual([want]);
  });

  test('because the job waits say how to learn why', async () => {
    await api.loop.offer(applyJob('b', { workers: 9 }));
    expect(await read({ job: 'b' })).toEqual([
      'FAILED_PRECONDITION: job b has not been placed yet, so it has no logs; `shoal describe job b` says why it waits',
    ]);
  });

  test('because too many are read already', async () => {
    connect('n1');
    const abort = new AbortController();
    const readings = Array.from({ length: limits.logReadersMax }, () => read({ job: 'a', follow: true }, abort.signal));
    await settled();
    expect(await read({ job: 'a' })).toEqual([`RESOURCE_EXHAUSTED: ${limits.logReadersMax} streams of logs are open already`]);
    abort.abort();
    await Promise.all(readings);
    connect('n1');
    const again = read({ job: 'a' });
    await settled();
    await api.logs.receive('n1', pieces(asked.at(-1)?.wanted.requestId ?? '', [0, 'room\n']));
    expect(await again).toEqual(['rank 0 on n1: room\n']);
  });
});
