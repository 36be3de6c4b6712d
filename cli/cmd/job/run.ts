import { compileTarget, type TargetOptions } from '../../config/target.ts';
import { assertNever } from '#vocabulary/assert.ts';
import { exitCodes } from '../../exitCodes.ts';
import type { Flags } from '../../flags.ts';
import type { Io } from '../../io.ts';
import { kindOf, parseNameOf } from '../../kinds.ts';
import { reportError } from '../../reportError.ts';
import { withServer, type Server } from '../../server/connection.ts';
import { failureOf } from '../../server/failure.ts';
import { onNamed } from '../../server/notFound.ts';

/** What is done to jobs by name alone. */
export type JobVerb = 'suspend' | 'resume' | 'hold' | 'release' | 'next';

export interface JobsOptions {
  readonly target: TargetOptions;
  readonly names: readonly string[];
}

/** Skips `job` in `suspend job NAME`, which people type out of habit. */
export function compileJobs(words: readonly string[], flags: Flags): JobsOptions {
  const [first = '', ...rest] = words;
  const typed = rest.length > 0 && ['job', 'jobs', 'j'].includes(first);
  return { target: compileTarget(flags), names: (typed ? rest : words).map((word) => parseNameOf('TrainingJob', word)) };
}

/** What is printed when it changed something, and when not. */
const pasts: Readonly<Record<JobVerb, readonly [changed: string, unchanged: string]>> = {
  suspend: ['suspended', 'was suspended already'],
  resume: ['resumed', 'was not suspended'],
  hold: ['held', 'was held already'],
  release: ['released', 'was not held'],
  next: ['is next', 'was next already'],
};

export async function runJobVerb(verb: JobVerb, options: JobsOptions, io: Io, signal: AbortSignal): Promise<number> {
  const [changed, unchanged] = pasts[verb];
  return onEachJob(options, io, signal, async (server, job) => ((await change(server, verb, job)) ? changed : unchanged));
}

export async function runPriority(options: JobsOptions, priority: number, io: Io, signal: AbortSignal): Promise<number> {
  return onEachJob(options, io, signal, async ({ client, unary }, job) => {
    const { changed } = await client.prioritize({ job, priority }, unary());
    return changed ? `has priority ${priority}` : `had priority ${priority} already`;
  });
}

/** One job that cannot be does not keep the others from it; the last failure's code is the exit code. */
async function onEachJob(
  { target, names }: JobsOptions,
  io: Io,
  signal: AbortSignal,
  act: (server: Server, job: string) => Promise<string>,
): Promise<number> {
  return withServer(
    target,
    io,
    async (server) => {
      let exitCode: number = exitCodes.ok;
      for (const name of names) {
        try {
          const outcome = await onNamed(server, kindOf('job'), name, () => act(server, name));
          io.stdout.write(`job/${name} ${outcome}\n`);
        } catch (error) {
          exitCode = reportError(failureOf(error, server.address), io.stderr);
        }
      }
      return exitCode;
    },
    signal,
  );
}

async function change({ client, unary }: Server, verb: JobVerb, job: string): Promise<boolean> {
  switch (verb) {
    case 'suspend':
      return (await client.suspend({ job }, unary())).changed;
    case 'resume':
      return (await client.resume({ job }, unary())).changed;
    case 'hold':
      return (await client.hold({ job }, unary())).changed;
    case 'release':
      return (await client.release({ job }, unary())).changed;
    case 'next':
      return (await client.next({ job }, unary())).changed;
    default:
      return assertNever(verb);
  }
}
