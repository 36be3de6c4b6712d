import type { Policy } from '#core/context.ts';
import type { Reply, Request } from '#core/inputs.ts';
import { planDefragNow } from '#core/schedule/defrag/defrag.ts';
import type { DefragPlan } from '#core/schedule/defrag/defragPlan.ts';
import type { ControlService } from '#gen/shoal/v1/control_pb.js';
import type { Handlers } from '#rpc/call.ts';
import { RpcError } from '#rpc/rpcError.ts';
import { assert } from '#vocabulary/assert.ts';
import type { UserName } from '#vocabulary/ids.ts';
import { jobName, nodeName, queueName, reservationName } from '#vocabulary/ids.ts';
import type { ForecastDesk } from '../forecasts/forecastDesk.ts';
import type { StartEstimates } from '../forecasts/startEstimates.ts';
import { limits } from '../limits.ts';
import type { Changes } from '../loop/changes.ts';
import type { Loop } from '../loop/loop.ts';
import type { Sessions } from '../loop/sessions.ts';
import type { Clock } from '../ports/clock.ts';
import type { Access } from './access.ts';
import { makeToken } from './access.ts';
import { applyDocuments } from './apply.ts';
import { accepted, asRpc } from './failure.ts';
import { forecast, planDocuments, qualityToWire } from './forecast.ts';
import { defragToWire } from './defragToWire.ts';
import { addVerdict } from './addVerdict.ts';
import { ledgerToWire } from './ledgerToWire.ts';
import type { LogDesk } from './logs.ts';
import type { Sight } from './objects.ts';
import { findObject, parseKind, select, tableOf } from './objects.ts';
import { watch } from './watch.ts';

export interface ControlParts {
  readonly loop: Loop;
  readonly sessions: Sessions;
  readonly changes: Changes;
  readonly logs: LogDesk;
  readonly access: Access;
  readonly clock: Clock;
  readonly policy: Policy;
  readonly desk: ForecastDesk;
  readonly starts: StartEstimates;
  readonly version: string;
  readonly caHash: string;
  readonly agentAddress: () => string;
}

/** What people ask for. A handler decodes, offers to the loop or reads a committed state, and answers; it decides nothing. */
export function controlHandlers(parts: ControlParts): Handlers<typeof ControlService> {
  return { ...readingHandlers(parts), ...changingHandlers(parts) };
}

type Reading = 'get' | 'list' | 'watch' | 'logs' | 'plan' | 'forecast' | 'ledger' | 'info';

function readingHandlers(parts: ControlParts): Pick<Handlers<typeof ControlService>, Reading> {
  const { loop, sessions, starts, changes, clock, access } = parts;
  const look = <T>(read: (sight: Sight) => T): Promise<T> =>
    asRpc(() => loop.read((state, lastPass) => read({ state, lastPass, sessions, starts, nowMs: clock.nowMs(), policy: parts.policy })));
  return {
    get: async ({ object, verdict }) => {
      const kind = parseKind(object?.kind ?? '');
      const name = object?.name ?? '';
      const found = await look((sight) => {
        const resource = findObject(sight, kind, name);
        if (verdict && resource !== undefined) addVerdict(sight, resource, parts.policy);
        return { resource, revision: BigInt(sight.state.revision) };
      });
      if (found.resource === undefined) throw new RpcError('NOT_FOUND', `${pluralOf(kind)} "${name}" not found`);
      return { resource: found.resource, revision: found.revision };
    },
    list: async ({ kind: kindName, names, labelSelector, about, table }) => {
      const kind = parseKind(kindName);
      return look((sight) => {
        const resources = select(sight, { kind, names, labels: labelSelector, about });
        const revision = BigInt(sight.state.revision);
        return table ? { table: tableOf(kind, resources, sight.nowMs), revision } : { resources: [...resources], revision };
      });
    },
    watch: (request, context) => watch({ loop, changes, look }, request, context.signal),
    logs: async function* (request, context) {
      const state = await asRpc(() => loop.read((now) => now));
      yield* parts.logs.read(state, request, context.signal);
    },
    plan: async (request, context) => asRpc(() => planDocuments(parts, access.callerOf(context).user, request)),
    forecast: async (request, context) => asRpc(() => forecast(parts, access.callerOf(context).user, request)),
    ledger: ({ by }) => look(({ state, nowMs }) => ledgerToWire(state, by, nowMs)),
    info: async (_request, context) => {
      const { user, role } = access.callerOf(context);
      const { clusterId, epoch, estimates } = await look(({ state }) => ({
        clusterId: state.clusterId,
        epoch: BigInt(state.epoch),
        estimates: qualityToWire(state.startErrors),
      }));
      return {
        user,
        role,
        clusterId,
        epoch,
        estimates,
        revision: BigInt(loop.revision),
        serverVersion: parts.version,
        caHash: parts.caHash,
        degraded: loop.degraded ?? '',
        agentAddress: parts.agentAddress(),
      };
    },
  };
}

function changingHandlers(parts: ControlParts): Omit<Handlers<typeof ControlService>, Reading> {
  const { loop, access, clock } = parts;
  const change = async (request: Request) => {
    const reply = accepted(await asRpc(() => loop.offer(request)));
    return reply.kind === 'changed' ? reply : { changed: false, jobs: [], uid: '' };
  };
  return {
    apply: async ({ documents }, context) => ({
      results: await asRpc(() => applyDocuments(loop, access.callerOf(context).user, documents)),
    }),
    delete: async ({ object, now }, context) => {
      const request = deletionOf(object?.kind ?? '', object?.name ?? '', { user: access.callerOf(context).user, now });
      if (request !== null) return { uid: (await change(request)).uid };
      throw new RpcError(
        'INVALID_ARGUMENT',
        `object.kind: "${object?.kind ?? ''}" cannot be deleted; TrainingJob, Queue and Reservation can`,
      );
    },
    suspend: async ({ job }, context) => ({
      changed: (await change({ kind: 'suspendJob', name: jobName(job), user: access.callerOf(context).user })).changed,
    }),
    resume: async ({ job }, context) => ({
      changed: (await change({ kind: 'resumeJob', name: jobName(job), user: access.callerOf(context).user })).changed,
    }),
    hold: async ({ job }, context) => ({
      changed: (await change({ kind: 'holdJob', name: jobName(job), user: access.callerOf(context).user })).changed,
    }),
    release: async ({ job }, context) => ({
      changed: (await change({ kind: 'releaseJob', name: jobName(job), user: access.callerOf(context).user })).changed,
    }),
    next: async ({ job }, context) => ({
      changed: (await change({ kind: 'nextJob', name: jobName(job), user: access.callerOf(context).user })).changed,
    }),
    prioritize: async ({ job, priority }, context) => {
      if (priority < 0 || priority > priorityMax)
        throw new RpcError('INVALID_ARGUMENT', `priority: ${priority} is out of range; allowed: 0..${priorityMax}`);
      const { user } = access.callerOf(context);
      return { changed: (await change({ kind: 'prioritizeJob', name: jobName(job), user, priority })).changed };
    },
    cordon: async ({ node, reason }, context) => ({
      changed: (await change({ kind: 'cordonNode', node: nodeName(node), user: access.callerOf(context).user, reason, drain: false }))
        .changed,
    }),
    uncordon: async ({ node }, context) => ({
      changed: (await change({ kind: 'uncordonNode', node: nodeName(node), user: access.callerOf(context).user })).changed,
    }),
    drain: async ({ node, reason }, context) => ({
      jobs: [
        ...(await change({ kind: 'cordonNode', node: nodeName(node), user: access.callerOf(context).user, reason, drain: true })).jobs,
      ],
    }),
    defrag: async ({ dryRun, movesMax = null }, context) => {
      const { user } = access.callerOf(context);
      const plan = dryRun
        ? await asRpc(() => loop.read((state) => planDefragNow(state, { nowMs: clock.nowMs(), policy: parts.policy }, movesMax)))
        : planIn(accepted(await asRpc(() => loop.offer({ kind: 'defrag', user, movesMax }))));
      return defragToWire(plan, loop.revision);
    },
    createJoinToken: async ({ ttlSeconds }, context) => {
      const seconds = ttlSeconds === 0 ? limits.joinTokenSecondsDefault : ttlSeconds;
      if (seconds > limits.joinTokenSecondsMax)
        throw new RpcError('INVALID_ARGUMENT', `ttl_seconds: ${seconds} is given; at most ${limits.joinTokenSecondsMax} (one day)`);
      const { secret, facts } = makeToken('join', access.callerOf(context).user, clock.nowMs() + seconds * 1000);
      await change({ kind: 'issueToken', token: facts });
      return { token: `shoal-join.${facts.id}.${secret}.${parts.caHash}`, ttlSeconds: seconds };
    },
  };
}

function planIn(reply: Reply): DefragPlan {
  assert(reply.kind === 'defragged', 'the answer to a defrag is its plan');
  return reply.plan;
}

/** null: such an object cannot be deleted. */
function deletionOf(kind: string, name: string, { user, now }: { readonly user: UserName; readonly now: boolean }): Request | null {
  switch (kind) {
    case 'TrainingJob':
      return { kind: 'deleteJob', name: jobName(name), user, now };
    case 'Queue':
      return { kind: 'deleteQueue', name: queueName(name) };
    case 'Reservation':
      return { kind: 'deleteReservation', name: reservationName(name), user };
    default:
      return null;
  }
}

/** As in a manifest. */
const priorityMax = 100;

function pluralOf(kind: string): string {
  return { TrainingJob: 'jobs', Node: 'nodes', Queue: 'queues', Reservation: 'reservations', Gpu: 'gpus', Event: 'events' }[kind] ?? kind;
}
