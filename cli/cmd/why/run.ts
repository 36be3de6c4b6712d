import { toJson, type JsonValue } from '@bufbuild/protobuf';
import type { Node } from '#gen/shoal/v1/node_pb.js';
import type { TrainingJob } from '#gen/shoal/v1/training_job_pb.js';
import { VerdictSchema } from '#gen/shoal/v1/verdict_pb.js';
import { compileTarget, type TargetOptions } from '../../config/target.ts';
import { exitCodes } from '../../exitCodes.ts';
import { compileChoice, type Flags } from '../../flags.ts';
import type { Io } from '../../io.ts';
import { kindOf, parseNameOf } from '../../kinds.ts';
import { formatValue } from '../../print/canonical.ts';
import { reportError } from '../../reportError.ts';
import { withServer, type Server } from '../../server/connection.ts';
import { failureOf } from '../../server/failure.ts';
import { onNamed } from '../../server/notFound.ts';
import { formatWhy } from './text.ts';

export interface WhyOptions {
  readonly target: TargetOptions;
  readonly names: readonly string[];
  readonly output: 'json' | 'yaml' | null;
}

export function compileWhy(words: readonly string[], flags: Flags): WhyOptions {
  return {
    target: compileTarget(flags),
    names: [...new Set(words.map((word) => parseNameOf('TrainingJob', word)))],
    output: compileChoice(flags, 'output', ['json', 'yaml']),
  };
}

export async function runWhy(options: WhyOptions, io: Io, signal: AbortSignal): Promise<number> {
  return withServer(
    options.target,
    io,
    async (server) => {
      let exitCode: number = exitCodes.ok;
      const found: TrainingJob[] = [];
      for (const name of options.names) {
        try {
          const job = await jobNamed(server, name);
          if (options.output === null)
            io.stdout.write(`${found.length > 0 ? '\n' : ''}${formatWhy(job, await nodesOf(server, job), io.now())}`);
          found.push(job);
        } catch (error) {
          exitCode = reportError(failureOf(error, server.address), io.stderr);
        }
      }
      if (options.output !== null && found.length > 0) io.stdout.write(await formatValue(valueOf(found.map(answerOf)), options.output));
      return exitCode;
    },
    signal,
  );
}

async function jobNamed(server: Server, name: string): Promise<TrainingJob> {
  const kind = kindOf('job');
  const { resource } = await onNamed(server, kind, name, () =>
    server.client.get({ object: { kind: kind.kind, name }, verdict: true }, server.unary()),
  );
  if (resource?.object.case !== 'trainingJob') throw new Error(`the server answered something else than job ${name}`);
  return resource.object.value;
}

/** Where it stands: the nodes say in which domains they are. */
async function nodesOf({ client, unary }: Server, { status }: TrainingJob): Promise<readonly Node[]> {
  const names = [...new Set(status?.ranks.map(({ node }) => node))];
  if (names.length === 0) return [];
  const { resources } = await client.list({ kind: 'Node', names }, unary());
  return resources.flatMap(({ object }) => (object.case === 'node' ? [object.value] : []));
}

function answerOf({ metadata, status }: TrainingJob): JsonValue {
  const verdict = status?.verdict;
  return {
    job: metadata?.name ?? '',
    phase: status?.phase ?? '',
    reason: status?.reason ?? '',
    message: status?.message ?? '',
    verdict: verdict === undefined ? null : toJson(VerdictSchema, verdict),
  };
}

/** One that was named stands alone. */
const valueOf = (answers: readonly JsonValue[]): unknown => (answers.length === 1 ? answers[0] : answers);
