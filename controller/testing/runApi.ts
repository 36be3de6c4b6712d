import { Access, makeToken } from '#controller/api/access.ts';
import { agentHandlers } from '#controller/api/agents.ts';
import { controlHandlers } from '#controller/api/control.ts';
import { LogDesk } from '#controller/api/logs.ts';
import { openMemoryStore } from '#controller/adapters/memory/memoryStore.ts';
import { ForecastDesk } from '#controller/forecasts/forecastDesk.ts';
import { defaultPolicy } from '#controller/limits.ts';
import { StartEstimates } from '#controller/forecasts/startEstimates.ts';
import { Changes } from '#controller/loop/changes.ts';
import { Sessions } from '#controller/loop/sessions.ts';
import type { AgentService } from '#gen/shoal/v1/agent_pb.js';
import type { ControlService } from '#gen/shoal/v1/control_pb.js';
import type { CallContext, Handlers } from '#rpc/call.ts';
import { applyQueue } from '#test/simulation/fakeCluster.ts';
import { userName } from '#vocabulary/ids.ts';
import type { RunningLoop, RunOptions } from './runLoop.ts';
import { runLoop } from './runLoop.ts';

export interface RunningApi extends RunningLoop {
  readonly sessions: Sessions;
  readonly logs: LogDesk;
  readonly access: Access;
  readonly control: Handlers<typeof ControlService>;
  readonly agents: Handlers<typeof AgentService>;
  /** The context of a call by alice. */
  readonly alice: CallContext;
  as(signal?: AbortSignal): Promise<CallContext>;
}

/** The controller's services over memory, called as the server calls them, without a wire. */
export async function runApi(options: RunOptions & { readonly changesMax?: number } = {}): Promise<RunningApi> {
  const running = await runLoop(options);
  const { loop, clock } = running;
  const sessions = new Sessions(loop, clock, 8_000);
  const changes = new Changes(options.changesMax ?? 1_000, loop.revision);
  loop.onCommit((state, events) => changes.add(state, events));
  const logs = new LogDesk(sessions);
  const access = new Access(loop, clock);
  const version = 'test';
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const stopping = new AbortController();
  const store = await openMemoryStore(running.disk);
  const policy = { ...defaultPolicy, ...options.policy };
  const desk = new ForecastDesk({ loop, store, clock, policy, telemetry: quiet, asksMax: 2, idleMs: 60_000 }, stopping.signal);
  const starts = new StartEstimates({ desk, loop, clock, telemetry: quiet, everyMs: policy.estimatesEveryMs }, stopping.signal);
  const control = controlHandlers({
    loop,
    sessions,
    changes,
    logs,
    access,
    clock,
    version,
    policy,
    desk,
    starts,
    caHash: 'cafe',
    agentAddress: () => '127.0.0.1:7071',
  });
  const agents = agentHandlers({ loop, sessions, logs, telemetry: quiet, version });
  const { secret, facts } = makeToken('user', userName('alice'), null);
  await loop.offer({ kind: 'issueToken', token: facts });
  const as = async (signal?: AbortSignal): Promise<CallContext> => {
    const context = callContext({ token: `shoal.${facts.id}.${secret}`, ...(signal === undefined ? {} : { signal }) });
    await access.intercept('', context);
    return context;
  };
  await loop.offer(applyQueue('default'));
  const stop = async (): Promise<void> => {
    stopping.abort();
    await running.stop();
  };
  return { ...running, stop, sessions, logs, access, control, agents, as, alice: await as() };
}

export function callContext({
  token,
  node,
  signal,
}: {
  readonly token?: string;
  readonly node?: string;
  readonly signal?: AbortSignal;
}): CallContext {
  return {
    signal: signal ?? new AbortController().signal,
    metadata: new Map(token === undefined ? [] : [['authorization', `Bearer ${token}`]]),
    peer: '127.0.0.1:1',
    peerCommonName: node ?? null,
  };
}
