import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError } from '../../cliError.ts';
import { exitCodes } from '../../exitCodes.ts';
import type { Io } from '../../io.ts';
import { agentNodeFlags } from '../../rooms.ts';
import { withServer } from '../../server/connection.ts';
import { startChild, type Child } from './child.ts';
import { lastLines } from './lastLines.ts';
import type { UpOptions } from './options.ts';
import type { Ready } from './ready.ts';

interface AgentWanted {
  readonly options: UpOptions;
  readonly ready: Ready;
  /** From 1. */
  readonly number: number;
  readonly logs: string;
}

/** Two nodes a rack, so that a gang may span racks or not. */
const nodesPerRack = 2;

export async function startAgent({ options, ready, number, logs }: AgentWanted, io: Io, signal: AbortSignal): Promise<Child> {
  const node = `node-${number}`;
  const data = join(options.data, 'agents', node);
  await mkdir(data, { recursive: true, mode: 0o700 });
  const logFile = join(logs, `${node}.log`);
  await joinCluster({ node, data, ready, logFile, options }, io, signal);
  const rack = Math.floor((number - 1) / nodesPerRack) + 1;
  const words = [
    'run',
    '--data',
    data,
    '--node',
    node,
    '--address',
    '127.0.0.1',
    '--topology',
    `zone=z1,block=b1,rack=r${rack}`,
    '--gpus',
    String(options.gpusPerAgent),
    '--gpu-model',
    options.gpuModel,
    ...(options.gpuSlots === null ? [] : ['--gpu-slots', options.gpuSlots]),
    '--work-dir',
    options.workDirectory,
    '--cgroups',
    'auto',
  ];
  return startChild({ name: node, program: options.programs.agent, nodeFlags: agentNodeFlags, words, env: io.env, logFile });
}

interface Joining {
  readonly node: string;
  readonly data: string;
  readonly ready: Ready;
  readonly logFile: string;
  readonly options: UpOptions;
}

/** Joins anew at each start: certificates are cheap, and the data folder may be of another cluster. The token goes by environment, never by argument. */
async function joinCluster({ node, data, ready, logFile, options }: Joining, io: Io, signal: AbortSignal): Promise<void> {
  const token = await withServer(
    { context: options.context, server: null, requestTimeoutMs: 30_000 },
    io,
    async ({ client, unary }) => (await client.createJoinToken({}, unary())).token,
    signal,
  );
  const join = startChild({
    name: node,
    program: options.programs.agent,
    nodeFlags: agentNodeFlags,
    words: ['join', '--data', data, '--controller', ready.control, '--node', node],
    env: { ...io.env, SHOAL_JOIN_TOKEN: token },
    logFile,
  });
  const how = await join.ended;
  if (how === 'ended with code 0' || signal.aborted) return;
  throw new CliError(exitCodes.error, `error: ${node} could not join: the agent ${how}`, [
    ...(await lastLines(logFile, 5)),
    `Its log: ${logFile}`,
  ]);
}
