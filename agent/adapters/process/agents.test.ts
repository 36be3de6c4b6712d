import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freshWorker, EndLog, rankStart } from '#test/conformance/runtime.ts';
import { openProcessGround, type ProcessGround } from '#test/conformance/runtimeProcessGround.ts';
import type { RankStart } from '#agent/ports/runtime.ts';

/** Agents as processes of their own, so that they can be killed and can race. */

const adapter = fileURLToPath(new URL('processRuntime.ts', import.meta.url));
/** Says `ready`, waits for a line, starts the rank that the line describes, says how that went, lives on. */
const agentScript = `
  import { createProcessRuntime } from ${JSON.stringify(adapter)};
  import { createInterface } from 'node:readline';
  const runtime = await createProcessRuntime({
    root: process.argv[1] + '/agent', workDir: process.argv[1], cgroups: process.argv[2], user: null,
    logLimits: { fileBytes: 1e6, files: 1 }, notice: () => {},
  });
  console.log('ready');
  for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(await runtime.startRank(JSON.parse(line))));
`;

interface AgentProcess {
  readonly process: ChildProcess;
  next(): Promise<string>;
  start(start: RankStart): Promise<void>;
}

let ground: ProcessGround;
let agents: AgentProcess[];

beforeEach(async () => {
  ground = await openProcessGround('auto');
  agents = [];
});
afterEach(async () => {
  for (const agent of agents) await kill(agent);
  await ground.dispose();
});

async function spawnAgent(): Promise<AgentProcess> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', agentScript, ground.folder, 'auto'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const agent: AgentProcess = {
    process: child,
    async next() {
      const line = await lines.next();
      return line.done === true ? '' : line.value;
    },
    start: async (start) => {
      child.stdin.write(`${JSON.stringify(start)}\n`);
    },
  };
  agents.push(agent);
  expect(await agent.next()).toBe('ready');
  return agent;
}

async function kill(agent: AgentProcess): Promise<void> {
  if (agent.process.exitCode !== null || agent.process.signalCode !== null) return;
  const ended = once(agent.process, 'exit');
  agent.process.kill('SIGKILL');
  await ended;
}

describe('several agents on one folder', () => {
  test('start a rank once between them, however they race', async () => {
    const [first, second, third] = [await spawnAgent(), await spawnAgent(), await spawnAgent()];
    const racers = [first, second, third];
    const id = freshWorker();
    const kinds: number[] = [];
    for (let rank = 0; rank < 10; rank += 1) {
      const start = rankStart(id, rank, ['sh', '-c', 'echo "$RANK" >>started']);
      await Promise.all(racers.map((agent) => agent.start(start)));
      const answers = await Promise.all(racers.map((agent) => agent.next()));
      kinds.push(
        answers.filter((answer) => answer.includes('"started"')).length,
        answers.filter((answer) => answer.includes('"already-started"')).length,
      );
    }
    expect(kinds).toEqual(Array.from({ length: 10 }, () => [1, 2]).flat());
    const runtime = await ground.open();
    for (let rank = 0; rank < 10; rank += 1)
      await expect.poll(() => runtime.findRank(id, rank)).toMatchObject({ kind: 'ended', exitCode: 0 });
    const started = (await readFile(join(ground.folder, 'started'), 'utf8')).trim().split('\n').map(Number);
    expect(started.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    await expect.poll(() => runtime.isWorkerAlive(id)).toBe(false);
    await runtime.forgetWorker(id);
  });
});

describe('an agent that is killed with SIGKILL', () => {
  test('leaves its rank running; the next agent finds the same process and hears its exit code', async () => {
    const agent = await spawnAgent();
    const id = freshWorker();
    const start = rankStart(id, 0, ground.command('obedient'));
    await agent.start(start);
    const answer = await agent.next();
    await ground.settled(start);
    await kill(agent);

    const runtime = await ground.open();
    const ends = new EndLog(runtime);
    const found = await runtime.findRank(id, 0);
    expect(found.kind).toBe('alive');
    expect(JSON.parse(answer)).toEqual({ kind: 'started', process: found.kind === 'alive' ? found.process : null });
    await ground.finish(start, 17);
    expect(await ends.next()).toEqual({ id, rank: 0, exitCode: 17, signal: null });
    await expect.poll(() => runtime.isWorkerAlive(id)).toBe(false);
    await runtime.forgetWorker(id);
  });

  test('at any moment of a start leaves the rank started once or not at all', async () => {
    const runtime = await ground.open();
    for (let round = 0; round < 5; round += 1) {
      const id = freshWorker();
      const start = rankStart(id, 0, ['sh', '-c', `echo begun >>started-${round}`]);
      const agent = await spawnAgent();
      await agent.start(start);
      // From before the launcher is made to after its answer; the pipe's order makes the moments differ, not a clock.
      if (round > 0) for (let turn = 0; turn < round * 400; turn += 1) await new Promise(setImmediate);
      await kill(agent);
      const second = await runtime.startRank(start);
      expect(second.kind).toBeOneOf(['started', 'already-started']);
      await expect.poll(() => runtime.findRank(id, 0)).toMatchObject({ kind: 'ended', exitCode: 0 });
      expect(await readFile(join(ground.folder, `started-${round}`), 'utf8')).toBe('begun\n');
      await expect.poll(() => runtime.isWorkerAlive(id)).toBe(false);
      await runtime.forgetWorker(id);
    }
  });
});
