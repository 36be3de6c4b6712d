import { CliError } from '../../cliError.ts';
import { compileTarget, type TargetOptions } from '../../config/target.ts';
import { exitCodes } from '../../exitCodes.ts';
import { compileChoice, isSet, numberFlag, textFlag, type Flags } from '../../flags.ts';
import type { Io } from '../../io.ts';
import { kindOf, parseNameOf } from '../../kinds.ts';
import { makeLogPrinter } from '../../print/logLines.ts';
import { withServer, type Server } from '../../server/connection.ts';
import { onNamed } from '../../server/notFound.ts';

export interface LogsOptions {
  readonly target: TargetOptions;
  readonly job: string;
  /** Ascending; empty: rank 0. */
  readonly ranks: readonly number[];
  readonly allRanks: boolean;
  readonly follow: boolean;
  readonly prefix: boolean;
  /** 0: the newest. */
  readonly attempt: number;
  readonly previous: boolean;
  readonly tail: number | null;
  readonly stream: 'stdout' | 'stderr' | null;
}

const ranksMax = 16_384;

export function compileLogs(job: string, flags: Flags): LogsOptions {
  const ranks = parseRanks(textFlag(flags, 'rank'));
  const allRanks = isSet(flags, 'allRanks');
  if (allRanks && ranks.length > 0) throw new CliError(exitCodes.usage, 'error: --rank and --all-ranks cannot be given together');
  const attempt = numberFlag(flags, 'attempt');
  const previous = isSet(flags, 'previous');
  if (previous && attempt !== null) throw new CliError(exitCodes.usage, 'error: --attempt and --previous cannot be given together');
  return {
    target: compileTarget(flags),
    job: parseNameOf('TrainingJob', job),
    ranks,
    allRanks,
    follow: isSet(flags, 'follow'),
    prefix: isSet(flags, 'prefix') || allRanks || ranks.length > 1,
    attempt: attempt ?? 0,
    previous,
    tail: numberFlag(flags, 'tail'),
    stream: compileChoice(flags, 'stream', ['stdout', 'stderr']),
  };
}

/** `0,2-3` → [0, 2, 3]. */
function parseRanks(text: string | null): readonly number[] {
  if (text === null) return [];
  const ranks = new Set<number>();
  for (const part of text.split(',')) {
    const [, first, last = first] = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part.trim()) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (!(from <= to && to < ranksMax))
      throw new CliError(exitCodes.usage, `error: --rank "${text}" is not a list such as 0,2-3 (ranks below ${ranksMax})`);
    for (let rank = from; rank <= to; rank++) ranks.add(rank);
  }
  return [...ranks].sort((a, b) => a - b);
}

export async function runLogs(options: LogsOptions, io: Io, signal: AbortSignal): Promise<number> {
  return withServer(
    options.target,
    io,
    async (server) => {
      const attempt = options.previous ? await previousAttempt(server, options.job) : options.attempt;
      const printer = makeLogPrinter(options.prefix);
      let exitCode: number = exitCodes.ok;
      const request = {
        job: options.job,
        ranks: [...options.ranks],
        allRanks: options.allRanks,
        attempt,
        follow: options.follow,
        stream: options.stream ?? '',
        ...(options.tail === null ? {} : { tail: options.tail }),
      };
      await onNamed(server, kindOf('job'), options.job, async () => {
        for await (const piece of server.client.logs(request, { signal })) {
          if (piece.error !== '') {
            io.stderr.write(`error: rank ${piece.rank}${piece.node === '' ? '' : ` on ${piece.node}`}: ${piece.error}\n`);
            exitCode = exitCodes.error;
          }
          if (piece.data.length > 0) io.stdout.write(printer.print(piece));
          await io.stdout.drained();
        }
      });
      io.stdout.write(printer.rest());
      return exitCode;
    },
    signal,
  );
}

async function previousAttempt(server: Server, job: string): Promise<number> {
  const { resource } = await onNamed(server, kindOf('job'), job, () =>
    server.client.get({ object: { kind: 'TrainingJob', name: job } }, server.unary()),
  );
  const attempts = resource?.object.case === 'trainingJob' ? (resource.object.value.status?.attempts ?? []) : [];
  const previous = attempts.at(-2);
  if (previous !== undefined) return previous.number;
  throw new CliError(exitCodes.notFound, `error: job "${job}" has no attempt before the newest`, [`See: shoal logs ${job}`]);
}
