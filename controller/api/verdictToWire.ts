import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type {
  DisplacementSchema,
  ModelRoomSchema,
  OutlookSchema,
  QueueStandingSchema,
  QuotaSchema,
  RemedySchema,
  UserStandingSchema,
  VerdictSchema,
} from '#gen/shoal/v1/verdict_pb.js';
import { describeRemedy } from '#vocabulary/describeRemedy.ts';
import { describeVerdict } from '#vocabulary/describeVerdict.ts';
import { describeWait } from '#vocabulary/reasons.ts';
import type { ModelRoom, Quota, QueueStanding, Remedy, UserStanding, Verdict } from '#vocabulary/verdict.ts';

/** `job`: the name that commands speak of. */
export function verdictToWire(verdict: Verdict, job: string): MessageInitShape<typeof VerdictSchema> {
  const { wait, sinceMs, position, queues, user, rooms, displacement, remedies, outlook } = verdict;
  return {
    class: verdict.class,
    reason: wait.kind,
    message: describeWait(wait),
    since: timestampFromMs(sinceMs),
    position: {
      inQueue: position.inQueue.at,
      inQueueOf: position.inQueue.of,
      inAll: position.inAll.at,
      inAllOf: position.inAll.of,
      ahead: [...position.ahead],
    },
    queues: queues.map(queueToWire),
    user: userToWire(user),
    rooms: rooms.map(roomToWire),
    displacement: displacementToWire(displacement),
    remedies: remedies.map((remedy) => remedyToWire(remedy, job)),
    outlook: outlookToWire(outlook),
    lines: [...describeVerdict(verdict, job)],
  };
}

function queueToWire({ isHeld, isServing, turn, after, quotas, ...queue }: QueueStanding): MessageInitShape<typeof QueueStandingSchema> {
  return {
    ...queue,
    held: isHeld,
    serving: isServing,
    turn: turn.at,
    turnOf: turn.of,
    after: after?.name ?? '',
    afterCompared: after?.compared ?? 0,
    quotas: quotas.map(quotaToWire),
  };
}

function quotaToWire({ limit, ...quota }: Omit<Quota, 'guaranteed'> & Partial<Quota>): MessageInitShape<typeof QuotaSchema> {
  return { ...quota, ...(limit === null ? {} : { limit }) };
}

function userToWire({ maxRunning, limits, ...user }: UserStanding): MessageInitShape<typeof UserStandingSchema> {
  return { ...user, ...(maxRunning === null ? {} : { maxRunning }), quotas: limits.map(quotaToWire) };
}

function roomToWire({ model, freeGpus, levels, nodes }: ModelRoom): MessageInitShape<typeof ModelRoomSchema> {
  return {
    model: model ?? '',
    freeGpus,
    levels: levels.map(({ isRequired, ...level }) => ({ ...level, required: isRequired })),
    nodes: nodes.map(({ names, ...group }) => ({ ...group, names: [...names] })),
  };
}

function displacementToWire({ youngUntilMs, ...counts }: Verdict['displacement']): MessageInitShape<typeof DisplacementSchema> {
  return { ...counts, ...at('youngUntil', youngUntilMs) };
}

function remedyToWire(remedy: Remedy, job: string): MessageInitShape<typeof RemedySchema> {
  const { text, changes, queue, commands } = describeRemedy(remedy, job);
  return {
    kind: remedy.kind,
    text,
    changes: changes.map(({ field, value }) => ({ field, ...(value === null ? {} : { value }) })),
    queue: queue ?? '',
    commands: [...commands],
  };
}

function outlookToWire(outlook: Verdict['outlook']): MessageInitShape<typeof OutlookSchema> {
  return {
    ...at('startsBy', outlook.startsByMs),
    nodes: [...outlook.nodes],
    waitsFor: outlook.waitsFor.map(({ goneByMs, ...other }) => ({ ...other, ...at('goneBy', goneByMs) })),
    ...at('widensAt', outlook.widensAtMs),
    ...at('targetAt', outlook.targetAtMs),
    behindPromised: outlook.isBehindPromised,
  };
}

/** Nothing where there is no time. */
function at<Name extends string>(name: Name, ms: number | null): Partial<Record<Name, Timestamp>> {
  if (ms === null) return {};
  const only: Partial<Record<Name, Timestamp>> = {};
  only[name] = timestampFromMs(ms);
  return only;
}
