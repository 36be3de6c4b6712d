import type { Resource } from '#gen/shoal/v1/control_pb.js';
import type { Event } from '#gen/shoal/v1/event_pb.js';
import { CliError } from '../../cliError.ts';
import { compileTarget, type TargetOptions } from '../../config/target.ts';
import { exitCodes } from '../../exitCodes.ts';
import type { Flags } from '../../flags.ts';
import type { Io } from '../../io.ts';
import { parseTargets, type Target } from '../../kinds.ts';
import { formatSections, type Section } from '../../print/sections.ts';
import { reportError } from '../../reportError.ts';
import { withServer, type Server } from '../../server/connection.ts';
import { failureOf } from '../../server/failure.ts';
import { onNamed } from '../../server/notFound.ts';
import { eventsSection } from './eventsSection.ts';
import { describeJob } from './job.ts';
import { describeNode } from './node.ts';
import { describeQueue } from './queue.ts';
import { describeReservation } from './reservation.ts';

export interface DescribeOptions {
  readonly target: TargetOptions;
  readonly wanted: readonly Target[];
}

const describable = ['TrainingJob', 'Node', 'Queue', 'Reservation'];

export function compileDescribe(words: readonly string[], flags: Flags): DescribeOptions {
  const wanted = parseTargets(words);
  for (const { kind, names } of wanted) {
    if (!describable.includes(kind.kind))
      throw new CliError(exitCodes.usage, `error: a ${kind.singular} cannot be described; use: shoal get ${kind.plural} -o yaml`);
    if (names.length === 0)
      throw new CliError(exitCodes.usage, `error: a name is wanted: shoal describe ${kind.singular} NAME`, [
        `List them: shoal get ${kind.plural}`,
      ]);
  }
  return { target: compileTarget(flags), wanted };
}

export async function runDescribe(options: DescribeOptions, io: Io, signal: AbortSignal): Promise<number> {
  return withServer(
    options.target,
    io,
    async (server) => {
      let exitCode: number = exitCodes.ok;
      let printed = 0;
      for (const { kind, names } of options.wanted) {
        for (const name of names) {
          try {
            const object = { kind: kind.kind, name };
            const { resource } = await onNamed(server, kind, name, () => server.client.get({ object, verdict: true }, server.unary()));
            const sections = [
              ...(resource === undefined ? [] : describe(resource)),
              eventsSection(await eventsAbout(server, object), io.now()),
            ];
            io.stdout.write(`${printed++ > 0 ? '\n\n' : ''}${formatSections(sections)}`);
          } catch (error) {
            exitCode = reportError(failureOf(error, server.address), io.stderr);
          }
        }
      }
      return exitCode;
    },
    signal,
  );
}

function describe({ object }: Resource): readonly Section[] {
  switch (object.case) {
    case 'trainingJob':
      return describeJob(object.value);
    case 'node':
      return describeNode(object.value);
    case 'queue':
      return describeQueue(object.value);
    case 'reservation':
      return describeReservation(object.value);
    default:
      return [];
  }
}

async function eventsAbout({ client, unary }: Server, about: { readonly kind: string; readonly name: string }): Promise<readonly Event[]> {
  const { resources } = await client.list({ kind: 'Event', about }, unary());
  return resources.flatMap(({ object }) => (object.case === 'event' ? [object.value] : []));
}
