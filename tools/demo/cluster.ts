/** A controller and four agents with two simulated GPUs each, as separate processes. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ControlService } from '#gen/shoal/v1/control_pb.js';
import { lastLines } from '#cli/cmd/up/lastLines.ts';
import { parseReady, readContextFile, type ContextFile, type Ready } from '#cli/cmd/up/ready.ts';
import { saveConfig } from '#cli/config/configFile.ts';
import { agentNodeFlags, agentProgram, controllerNodeFlags, controllerProgram } from '#cli/rooms.ts';
import type { Client } from '#rpc/call.ts';
import { connect } from '#rpc/connect.ts';
import { clientCredentials } from '#rpc/credentials.ts';
import type { Ground } from './ground.ts';
import { firstLine, type Program } from './program.ts';

export type ControlClient = Client<typeof ControlService> & { close(): void };

export interface Cluster {
  readonly ground: Ground;
  readonly client: ControlClient;
  /** By the name of the node. */
  readonly agents: ReadonlyMap<string, Program>;
}

interface NodeWanted {
  readonly name: string;
  readonly rack: string;
}

/** Two racks of two nodes. */
const nodes: readonly NodeWanted[] = [
  { name: 'n1', rack: 'r1' },
  { name: 'n2', rack: 'r1' },
  { name: 'n3', rack: 'r2' },
  { name: 'n4', rack: 'r2' },
];

export async function startCluster(ground: Ground, signal: AbortSignal): Promise<Cluster> {
  const data = join(ground.folder, 'controller');
  const words = [...['--data', data], ...['--listen', '127.0.0.1:0'], ...['--agent-listen', '127.0.0.1:0']];
  const controller = await ground.start({ name: 'controller', file: controllerProgram, nodeFlags: controllerNodeFlags, words });
  const ready = await readyOf(controller, signal);
  const context = await readContextFile(ready.contextFile);
  await keepContext(ground, ready, context);
  const client = connect(ControlService, {
    address: ready.control,
    credentials: clientCredentials({ caPem: context.caPem }),
    metadata: () => ({ authorization: `Bearer ${context.token}` }),
  });
  const agents = await Promise.all(
    nodes.map(async (node): Promise<[string, Program]> => {
      await joinNode({ ground, ready, client, node }, signal);
      return [node.name, await startAgent(ground, node)];
    }),
  );
  return { ground, client, agents: new Map(agents) };
}

async function readyOf(controller: Program, signal: AbortSignal): Promise<Ready> {
  const ready = await firstLine(controller, parseReady, signal);
  if (ready !== undefined) return ready;
  throw new Error([`the controller ${await controller.ended}`, ...(await lastLines(controller.logFile, 20))].join('\n'));
}

async function keepContext(ground: Ground, ready: Ready, { caPem, token }: ContextFile): Promise<void> {
  const context = { name: 'demo', server: ready.control, certificateAuthority: caPem, token };
  await saveConfig(join(ground.folder, 'config'), { currentContext: 'demo', contexts: [context] });
}

interface Joining {
  readonly ground: Ground;
  readonly ready: Ready;
  readonly client: ControlClient;
  readonly node: NodeWanted;
}

/** The token goes by environment, never by argument: arguments can be read by every user of the machine. */
async function joinNode({ ground, ready, client, node: { name } }: Joining, signal: AbortSignal): Promise<void> {
  const data = dataOf(ground, name);
  await mkdir(data, { mode: 0o700 });
  const { token } = await client.createJoinToken({}, { signal, deadlineMs: 30_000 });
  const words = ['join', '--data', data, '--controller', ready.control, '--node', name];
  const env = { SHOAL_JOIN_TOKEN: token };
  const joining = await ground.start({ name, file: agentProgram, nodeFlags: agentNodeFlags, words, env });
  const how = await joining.ended;
  signal.throwIfAborted();
  if (how === 'ended with code 0') return;
  throw new Error([`agent ${name} could not join: it ${how}`, ...(await lastLines(joining.logFile, 5))].join('\n'));
}

function startAgent(ground: Ground, { name, rack }: NodeWanted): Promise<Program> {
  const words = [
    'run',
    ...['--data', dataOf(ground, name)],
    ...['--node', name],
    ...['--address', '127.0.0.1'],
    ...['--topology', `zone=z1,block=b1,rack=${rack}`],
    ...['--gpus', '2', '--gpu-model', 'H100'],
    ...['--work-dir', ground.workFolder],
  ];
  return ground.start({ name, file: agentProgram, nodeFlags: agentNodeFlags, words });
}

function dataOf(ground: Ground, node: string): string {
  return join(ground.folder, node);
}
