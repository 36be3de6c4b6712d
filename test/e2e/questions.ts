/** What tests ask the controller, as values that are easy to compare. */
import type { Event } from '#gen/shoal/v1/event_pb.js';
import type { Node } from '#gen/shoal/v1/node_pb.js';
import type { ApplyResult, ControlService } from '#gen/shoal/v1/control_pb.js';
import type { Attempt, TrainingJob, TrainingJobStatus } from '#gen/shoal/v1/training_job_pb.js';
import type { Client } from '#rpc/call.ts';
import { assert } from '#vocabulary/assert.ts';
import { waitUntil } from './waitUntil.ts';

export type ControlClient = Client<typeof ControlService> & { close(): void };

/** A cluster, or whatever else has a client of a controller. */
export interface Asked {
  readonly client: ControlClient;
}

const callDeadlineMs = 10_000;

/** One document. Throws when it is not created. */
export async function create({ client }: Asked, manifest: object): Promise<string> {
  const result = await apply({ client }, manifest);
  assert(result.outcome === 'created', `apply: ${result.outcome} ${JSON.stringify(result.problems)}`);
  return result.uid;
}

export async function apply({ client }: Asked, manifest: object): Promise<ApplyResult> {
  const { results } = await client.apply({ documents: [{ json: JSON.stringify(manifest) }] }, { deadlineMs: callDeadlineMs });
  const [result] = results;
  assert(result !== undefined, 'one document has one result');
  return result;
}

export async function getJob({ client }: Asked, name: string): Promise<{ readonly job: TrainingJob; readonly status: TrainingJobStatus }> {
  const { resource } = await client.get({ object: { kind: 'TrainingJob', name } }, { deadlineMs: callDeadlineMs });
  assert(resource?.object.case === 'trainingJob', `${name} is a job`);
  const { value } = resource.object;
  assert(value.status !== undefined, `job ${name} has a status`);
  return { job: value, status: value.status };
}

export async function getNode({ client }: Asked, name: string): Promise<Node> {
  const { resource } = await client.get({ object: { kind: 'Node', name } }, { deadlineMs: callDeadlineMs });
  assert(resource?.object.case === 'node', `${name} is a node`);
  return resource.object.value;
}

/** Oldest first. */
export async function eventsOf({ client }: Asked, kind: 'TrainingJob' | 'Node', name: string): Promise<readonly Event[]> {
  const { resources } = await client.list({ kind: 'Event', about: { kind, name } }, { deadlineMs: callDeadlineMs });
  return resources.flatMap(({ object }) => (object.case === 'event' ? [object.value] : []));
}

/** The first of this reason, once there is one. */
export async function untilEvent(
  cluster: Asked,
  about: { readonly kind: 'TrainingJob' | 'Node'; readonly name: string; readonly reason: string },
  deadlineMs?: number,
): Promise<Event> {
  const look = async (): Promise<Event | undefined> =>
    (await eventsOf(cluster, about.kind, about.name)).find(({ reason }) => reason === about.reason);
  const seen = async (): Promise<string> => printEvents(await eventsOf(cluster, about.kind, about.name));
  return waitUntil(look, { what: `event ${about.reason} of ${about.name}`, seen, ...(deadlineMs === undefined ? {} : { deadlineMs }) });
}

export const printEvents = (events: readonly Event[]): string => events.map(({ reason, message }) => `${reason}: ${message}`).join('\n');

export const reasonsOf = (events: readonly Event[]): readonly string[] => events.map(({ reason }) => reason);

/** Milliseconds since the epoch, by the controller's clock. */
export function timeOf({ at }: Event): number {
  assert(at !== undefined, 'an event has a time');
  return Number(at.seconds) * 1000 + at.nanos / 1e6;
}

export interface JobPatience {
  readonly what: string;
  readonly deadlineMs?: number;
}

/** The status, once `isSo`. */
export async function untilJob(
  cluster: Asked,
  name: string,
  isSo: (status: TrainingJobStatus) => boolean,
  patience: JobPatience,
): Promise<TrainingJobStatus> {
  const look = async (): Promise<TrainingJobStatus | undefined> => {
    const { status } = await getJob(cluster, name);
    return isSo(status) ? status : undefined;
  };
  const seen = async (): Promise<string> => {
    const { status } = await getJob(cluster, name);
    return `${status.phase} ${status.reason} ${status.message}\n${printEvents(await eventsOf(cluster, 'TrainingJob', name))}`;
  };
  return waitUntil(look, { ...patience, what: `job ${name} ${patience.what}`, seen });
}

/** Fails at once when the job comes to another end. */
export async function untilFinished(
  cluster: Asked,
  name: string,
  want: 'Succeeded' | 'Failed',
  deadlineMs = 60_000,
): Promise<TrainingJobStatus> {
  const isOver = ({ phase }: TrainingJobStatus): boolean => phase === 'Succeeded' || phase === 'Failed';
  const status = await untilJob(cluster, name, isOver, { what: 'is over', deadlineMs });
  assert(status.phase === want, `job ${name} ${status.phase}: ${status.message}`);
  return status;
}

export function untilStep(cluster: Asked, name: string, step: number): Promise<TrainingJobStatus> {
  return untilJob(cluster, name, ({ progress }) => Number(progress?.step ?? 0) >= step, { what: `is at step ${step}` });
}

export function untilCheckpoint(cluster: Asked, name: string, step: number): Promise<TrainingJobStatus> {
  return untilJob(cluster, name, ({ checkpoint }) => Number(checkpoint?.step ?? 0) >= step, {
    what: `has a checkpoint of step ${step} or later`,
  });
}

/** `Succeeded`, `NodeFailure charged`, one a attempt. */
export function printAttempts(attempts: readonly Attempt[]): readonly string[] {
  return attempts.map(({ number, stopReasons, chargedToUser }) => `${number} ${stopReasons.join('+')}${chargedToUser ? ' charged' : ''}`);
}

export const placesOf = (attempt: Attempt): readonly string[] => attempt.placement.map(({ node, gpus }) => `${node}[${gpus.join(',')}]`);

/** True once all these nodes are ready and connected. */
export async function isAnsweredByReadyNodes(client: ControlClient, names: readonly string[]): Promise<true | undefined> {
  const { resources } = await client.list({ kind: 'Node' }, { deadlineMs: callDeadlineMs });
  const ready = resources.flatMap(({ object }) =>
    object.case === 'node' && object.value.status?.state === 'Ready' && object.value.status.connected ? [object.value.metadata?.name] : [],
  );
  return names.every((name) => ready.includes(name)) ? true : undefined;
}
