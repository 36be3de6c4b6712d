import { compileTarget, type TargetOptions } from '../../config/target.ts';
import { exitCodes } from '../../exitCodes.ts';
import type { Flags } from '../../flags.ts';
import type { Io } from '../../io.ts';
import { kindOf, parseNameOf } from '../../kinds.ts';
import { reportError } from '../../reportError.ts';
import { withServer, type Server } from '../../server/connection.ts';
import { failureOf } from '../../server/failure.ts';
import { onNamed } from '../../server/notFound.ts';

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

/** One job that cannot be does not keep the others from it; the last failure's code is the exit code. */
export async function runJobVerb(verb: 'suspend' | 'resume', options: JobsOptions, io: Io, signal: AbortSignal): Promise<number> {
  const past = verb === 'suspend' ? ['suspended', 'was suspended already'] : ['resumed', 'was not suspended'];
  return withServer(
    options.target,
    io,
    async (server) => {
      let exitCode: number = exitCodes.ok;
      for (const name of options.names) {
        try {
          const changed = await onNamed(server, kindOf('job'), name, () => change(server, verb, name));
          io.stdout.write(`job/${name} ${past[changed ? 0 : 1] ?? ''}\n`);
        } catch (error) {
          exitCode = reportError(failureOf(error, server.address), io.stderr);
        }
      }
      return exitCode;
    },
    signal,
  );
}

async function change({ client, unary }: Server, verb: 'suspend' | 'resume', job: string): Promise<boolean> {
  const { changed } = verb === 'suspend' ? await client.suspend({ job }, unary()) : await client.resume({ job }, unary());
  return changed;
}
