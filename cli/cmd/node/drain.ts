import { setTimeout as sleep } from 'node:timers/promises';
import type { Node } from '#gen/shoal/v1/node_pb.js';
import { CliError } from '../../cliError.ts';
import { withDeadline } from '../../deadline.ts';
import { exitCodes } from '../../exitCodes.ts';
import { isSet, numberFlag, type Flags } from '../../flags.ts';
import { readLine, type Io } from '../../io.ts';
import { kindOf } from '../../kinds.ts';
import { withServer, type Server } from '../../server/connection.ts';
import { onNamed } from '../../server/notFound.ts';
import { compileNodes, type NodesOptions } from './run.ts';

export interface DrainOptions extends NodesOptions {
  readonly yes: boolean;
  readonly wait: boolean;
  /** Null: for ever. */
  readonly timeoutMs: number | null;
}

export function compileDrain(words: readonly string[], flags: Flags): DrainOptions {
  const timeoutMs = numberFlag(flags, 'timeout') ?? 0;
  return {
    ...compileNodes(words, flags),
    yes: isSet(flags, 'yes'),
    wait: flags['wait'] !== false,
    timeoutMs: timeoutMs > 0 ? timeoutMs : null,
  };
}

const pollMs = 500;

export async function runDrain(options: DrainOptions, io: Io, signal: AbortSignal): Promise<number> {
  if (!(await confirmed(options, io))) {
    io.stderr.write('Nothing was drained.\n');
    return exitCodes.error;
  }
  return withServer(
    options.target,
    io,
    async (server) => {
      for (const name of options.names) {
        const { jobs } = await onNamed(server, kindOf('node'), name, () =>
          server.client.drain({ node: name, reason: options.reason }, server.unary()),
        );
        io.stdout.write(`node/${name} cordoned\n`);
        for (const job of jobs) io.stdout.write(`job/${job} asked to leave\n`);
      }
      if (options.wait) await waitUntilEmpty(server, options, io, signal);
      return exitCodes.ok;
    },
    signal,
  );
}

/** One node is what the user typed; several are asked about on a terminal, and need `--yes` elsewhere. */
async function confirmed(options: DrainOptions, io: Io): Promise<boolean> {
  if (options.yes || options.names.length <= 1) return true;
  if (!io.stdin.isTty || !io.stderr.isTty) {
    throw new CliError(exitCodes.usage, `error: draining ${options.names.length} nodes needs --yes when there is no terminal to ask on`);
  }
  io.stderr.write(`Drain ${options.names.length} nodes (${options.names.join(', ')})? [y/N] `);
  return /^y(es)?$/i.test(await readLine(io.stdin.chunks));
}

/**
 * Asks again and again: what a node holds is derived from the jobs, so that a watch of the node is silent when a job
 * leaves.
 */
async function waitUntilEmpty({ client, unary }: Server, options: DrainOptions, io: Io, signal: AbortSignal): Promise<void> {
  const left = new Set(options.names);
  const poll = async (ended: AbortSignal): Promise<true | undefined> => {
    while (!ended.aborted) {
      const { resources } = await client.list({ kind: 'Node', names: [...left] }, { ...unary(), signal: ended });
      const held = new Set(
        resources.flatMap(({ object }) => (object.case === 'node' && !isEmpty(object.value) ? [object.value.metadata?.name] : [])),
      );
      for (const name of [...left].filter((each) => !held.has(each))) {
        left.delete(name);
        io.stdout.write(`node/${name} drained\n`);
      }
      if (left.size === 0) return true;
      await sleep(pollMs, undefined, { signal: ended });
    }
    return undefined;
  };
  await withDeadline(options.timeoutMs, 'error: timed out waiting for the jobs to leave; what was asked for goes on', poll, signal);
}

function isEmpty(node: Node): boolean {
  return (node.status?.jobs.length ?? 0) === 0;
}
