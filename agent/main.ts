/**
 * The agent's program: `run` and `join`; see `usage` in config.ts. Exit codes: 0 done, 1 failed, 2 wrong usage.
 *
 * Run from sources, Node's type stripper costs some 35 MiB. Whoever starts agents sets NODE_COMPILE_CACHE to a folder that only
 * the agent's user can write: an agent that had to strip starts anew from the cache, and is without it.
 */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { restartCompiled } from '#process/restartCompiled.ts';
import { compileCommand, ConfigProblem, usage, type JoinCommand, type RunOptions, type TokenSource } from './config.ts';

process.exitCode = await main(process.argv.slice(2));
// Sockets of workers would keep the process; everything that must be written is.
process.exit();

async function main(args: readonly string[]): Promise<number> {
  try {
    const command = compileCommand(args, process.env);
    switch (command.kind) {
      case 'help':
        process.stdout.write(usage);
        return 0;
      case 'join':
        return await join(command.options);
      case 'run':
        return await run(command.options);
    }
  } catch (error) {
    process.stderr.write(`shoal agent: ${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof ConfigProblem ? 2 : 1;
  }
}

async function run(options: RunOptions): Promise<number> {
  const { runAgent } = await import('./runAgent.ts');
  await restartCompiled(async () => undefined);
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort());
  const log = pino({ level: options.logLevel, base: { room: 'agent', node: options.node } }, pino.destination({ fd: 1, sync: true }));
  await runAgent(options, log, stopping.signal);
  return 0;
}

async function join({ node, dataFolder, controller, token }: JoinCommand): Promise<number> {
  // Loads the X.509 library, which the running agent does not need.
  const { runJoin } = await import('./join/runJoin.ts');
  const agentAddress = await runJoin({ node, dataFolder, controller, token: await readToken(token) });
  process.stdout.write(`node ${node} has joined; the controller listens for agents at ${agentAddress}\n`);
  return 0;
}

async function readToken(source: TokenSource): Promise<string> {
  switch (source.kind) {
    case 'environment':
      return source.text;
    case 'stdin':
      return await text(process.stdin);
    case 'file':
      return await readFile(source.path, 'utf8');
  }
}
