import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { configPath, loadConfig } from '../../config/configFile.ts';
import { makeOutput } from '../../io.ts';
import { reportError } from '../../reportError.ts';
import { makeBench, type Bench } from '../../testing/commandLine.ts';
import { compileUp } from './options.ts';
import { runUp } from './run.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.close());

const programs = {
  controller: fileURLToPath(new URL('../../testing/fakeController.ts', import.meta.url)),
  agent: fileURLToPath(new URL('../../testing/fakeAgent.ts', import.meta.url)),
};

const log = (name: string): Promise<string> => readFile(join(bench.folder, 'data', 'logs', `${name}.log`), 'utf8');

async function untilLogged(name: string, pattern: RegExp): Promise<void> {
  const endsAtMs = Date.now() + 10_000;
  while (!pattern.test(await log(name)) && Date.now() < endsAtMs) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Ends by Ctrl-C when it has said that it is up and the log of `lastNode` shows a running agent. */
async function up(flags: Readonly<Record<string, unknown>>, lastNode: string): Promise<{ readonly code: number; readonly text: string }> {
  const env = { ...process.env, ...bench.env };
  const interrupt = new AbortController();
  let text = '';
  const sink = makeOutput(
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        text += chunk.toString('utf8');
        if (text.includes('Stop:')) {
          untilLogged(lastNode, /\nrun /).then(
            () => interrupt.abort(),
            () => interrupt.abort(),
          );
        }
        done();
      },
    }),
    false,
  );
  const io = { stdin: { isTty: false, chunks: (async function* () {})() }, stdout: sink, stderr: sink, env, now: Date.now };
  const options = {
    ...compileUp({ listen: '127.0.0.1:0', agentListen: '127.0.0.1:0', data: join(bench.folder, 'data'), ...flags }, env),
    programs,
  };
  try {
    return { code: await runUp(options, io, interrupt.signal), text };
  } catch (error) {
    return { code: reportError(error, sink), text };
  }
}

test('a controller and agents are started, the context is made current, and Ctrl-C stops all, agents first', async () => {
  const { code, text } = await up({ agents: 3, gpusPerAgent: 2, gpuModel: 'H100' }, 'node-3');
  expect(code).toBe(130);
  expect(text).toContain('Agents: 3 with simulated GPUs.\n');
  expect(text).toContain('Stopping the agents; ranks that run live on.\n');
  const config = await loadConfig(configPath(bench.env));
  expect(config.currentContext).toBe('local');
  expect(config.contexts.map(({ name }) => name)).toEqual(['test', 'local']);
  expect(await log('controller')).toContain('controller stopped\n');
  const third = await log('node-3');
  expect(third).toMatch(
    /^join --data \S+\/data\/agents\/node-3 --controller 127\.0\.0\.1:\d+ --node node-3 token=shoal-join\.id\.secret\.hash\n/,
  );
  expect(third).toMatch(
    /\nrun .* --node node-3 --address 127\.0\.0\.1 --topology zone=z1,block=b1,rack=r2 --gpus 2 --gpu-model H100 .* token=none\nagent stopped\n$/,
  );
});

test('a controller that does not start is said with the end of its log', async () => {
  const { code, text } = await up({ listen: '127.0.0.1:1' }, 'never');
  expect(code).toBe(1);
  expect(text).toContain('error: the controller ended with code 1\n');
  expect(text).toContain('  cannot listen on 127.0.0.1:1\n');
});
