/** `shoal up`: a controller and, if wanted, agents with simulated GPUs, for as long as it runs in the foreground. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError } from '../../cliError.ts';
import { configPath, loadConfig, saveConfig, withContext } from '../../config/configFile.ts';
import { exitCodes } from '../../exitCodes.ts';
import { controllerNodeFlags } from '../../rooms.ts';
import type { Io } from '../../io.ts';
import { untilAborted } from '../../untilAborted.ts';
import { startAgent } from './agents.ts';
import { startChild, type Child } from './child.ts';
import { untilNodesReady } from './nodesReady.ts';
import type { UpOptions } from './options.ts';
import { parseReady, readContextFile, type Ready } from './ready.ts';

export async function runUp(options: UpOptions, io: Io, signal: AbortSignal): Promise<number> {
  const logs = join(options.data, 'logs');
  await mkdir(logs, { recursive: true, mode: 0o700 });
  const children: Child[] = [];
  try {
    const controller = startController(options, logs, io);
    children.push(controller);
    const ready = await untilReady(controller, signal);
    if (ready === undefined) return exitCodes.interrupted;
    await keepContext(options, ready, io);
    for (let number = 1; number <= options.agents && !signal.aborted; number++) {
      children.push(await startAgent({ options, ready, number, logs }, io, signal));
    }
    const nodes = children.slice(1).map(({ name }) => name);
    if (nodes.length > 0 && !signal.aborted) await untilNodesReady(options.context, nodes, io, signal);
    if (!signal.aborted) sayUp(options, ready, io);
    return await untilEnd(children, io, signal);
  } finally {
    await stopAll(children, io);
  }
}

function startController({ data, listen, agentListen, policy, programs }: UpOptions, logs: string, io: Io): Child {
  return startChild({
    name: 'controller',
    program: programs.controller,
    nodeFlags: controllerNodeFlags,
    words: ['--data', data, '--listen', listen, '--agent-listen', agentListen, ...(policy === null ? [] : ['--policy', policy])],
    env: io.env,
    logFile: join(logs, 'controller.log'),
  });
}

/** Undefined: Ctrl-C came first. */
async function untilReady(controller: Child, signal: AbortSignal): Promise<Ready | undefined> {
  const interrupted = untilAborted(signal);
  const ready = await Promise.race([controller.firstLine(parseReady), interrupted.promise]).finally(interrupted.stop);
  if (ready !== undefined || signal.aborted) return ready;
  const { lastLines } = await import('./lastLines.ts');
  throw new CliError(exitCodes.error, `error: the controller ${await controller.ended}`, [
    ...(await lastLines(controller.logFile, 5)),
    `Its log: ${controller.logFile}`,
  ]);
}

async function keepContext({ context: name }: UpOptions, ready: Ready, io: Io): Promise<void> {
  const { caPem, token } = await readContextFile(ready.contextFile);
  const path = configPath(io.env);
  const config = withContext(await loadConfig(path), { name, server: ready.control, certificateAuthority: caPem, token });
  await saveConfig(path, { ...config, currentContext: name });
}

function sayUp({ context, data, agents }: UpOptions, ready: Ready, io: Io): void {
  const nodes =
    agents === 0
      ? 'No agents yet: shoal agent token, then shoal agent join and run on each machine.'
      : `Agents: ${agents} with simulated GPUs.`;
  io.stdout.write(`Shoal is up at ${ready.control} (agents: ${ready.agents}), context "${context}".\nData and logs: ${data}\n${nodes}\n`);
  io.stdout.write('Look:  shoal get nodes\nRun:   shoal run --gpus 1 -- echo hello\nStop:  Ctrl-C (ranks that run live on)\n');
}

/** A controller that ends takes `up` with it; an agent that ends is said. */
async function untilEnd(children: readonly Child[], io: Io, signal: AbortSignal): Promise<number> {
  const [controller, ...agents] = children;
  const left = new Map(agents.map((agent) => [agent.name, agent.ended.then((how) => ({ agent, how }))]));
  const interrupted = untilAborted(signal);
  const end = Promise.race([controller?.ended, interrupted.promise.finally(interrupted.stop)]).then((how) => ({ agent: null, how }));
  for (;;) {
    const { agent, how } = await Promise.race([end, ...left.values()]);
    if (how === undefined || signal.aborted) return exitCodes.interrupted;
    if (agent === null) {
      io.stderr.write(`error: the controller ${how}; its log: ${controller?.logFile ?? ''}\n`);
      return exitCodes.error;
    }
    left.delete(agent.name);
    io.stderr.write(`Warning: agent ${agent.name} ${how}; its log: ${agent.logFile}\n`);
  }
}

async function stopAll(children: readonly Child[], io: Io): Promise<void> {
  const [controller, ...agents] = children;
  if (agents.length > 0) io.stderr.write('Stopping the agents; ranks that run live on.\n');
  await Promise.all(agents.map((agent) => agent.stop()));
  await controller?.stop();
}
