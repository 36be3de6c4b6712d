import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import pino from 'pino';
import type { Policy } from '#core/context.ts';
import { AgentService } from '#gen/shoal/v1/agent_pb.js';
import { ControlService, EnrollmentService } from '#gen/shoal/v1/control_pb.js';
import { serverCredentials } from '#rpc/credentials.ts';
import type { OnFault } from '#rpc/serve.ts';
import { restartCompiled } from '#process/restartCompiled.ts';
import { addService, createServer, listen } from '#rpc/serve.ts';
import { queueName, userName } from '#vocabulary/ids.ts';
import { defaultQueueSpec } from '#vocabulary/queue.ts';
import type { Pki } from './adapters/pki/pki.ts';
import { openPki } from './adapters/pki/pki.ts';
import { fileLease } from './adapters/sqlite/fileLease.ts';
import { openSqliteStore } from './adapters/sqlite/sqliteStore.ts';
import { systemClock } from './adapters/system/clock.ts';
import { Access, makeToken } from './api/access.ts';
import { agentHandlers } from './api/agents.ts';
import { controlHandlers } from './api/control.ts';
import { enrollmentHandlers } from './api/enrollment.ts';
import { LogDesk } from './api/logs.ts';
import type { Config, Endpoint } from './config.ts';
import { ConfigError, parseConfig, usage } from './config.ts';
import { defaultPolicy, limits } from './limits.ts';
import { ForecastDesk } from './forecasts/forecastDesk.ts';
import { StartEstimates } from './forecasts/startEstimates.ts';
import { Changes } from './loop/changes.ts';
import { collectWhenQuiet } from './loop/collectWhenQuiet.ts';
import { Loop } from './loop/loop.ts';
import { Sessions } from './loop/sessions.ts';
import type { Store } from './ports/store.ts';
import { version } from './version.ts';

/** Starts a controller: the only file that knows every room. Says on stdout, in one line of JSON, when it is ready. */
async function main(args: readonly string[]): Promise<void> {
  const config = parseConfig(args);
  await restartCompiled(() => Promise.all([import('./adapters/sqlite/storeThread.ts'), import('./forecasts/forecastThread.ts')]));
  // Sockets, core files and whatever else is made are for this user only.
  process.umask(0o077);
  const log = pino({ level: config.logLevel, base: { service: 'controller', version } }, pino.destination(2));
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

  await mkdir(config.dataFolder, { recursive: true, mode: 0o700 });
  const lease = fileLease({ folder: config.dataFolder, waitMs: limits.leaseWaitMs });
  await lease.acquire(stop.signal);
  const store = await openSqliteStore({ folder: config.dataFolder });
  const pki = await openPki({ folder: join(config.dataFolder, 'pki'), names: config.names });
  const policy = await policyOf(config);
  const { inboxMax, batchMax, snapshotEvery, storeProbeMs: probeMs } = limits;
  const loop = await Loop.open({
    store,
    clock: systemClock,
    telemetry: log.child({ room: 'loop' }),
    policy,
    version,
    inboxMax,
    batchMax,
    snapshotEvery,
    probeMs,
  });
  log.info({ revision: loop.revision }, 'state recovered');

  const servers = createServers({ config, loop, store, pki, policy, log, stop: stop.signal });
  const running = loop.run(stop.signal);
  running.catch(() => stop.abort());
  try {
    const ports = await Promise.race([openForBusiness(servers, config, loop, pki), running.then(() => null)]);
    if (ports !== null) process.stdout.write(`${JSON.stringify({ ready: true, ...ports, contextFile: contextFileOf(config) })}\n`);
    await running;
  } finally {
    stop.abort();
    servers.close();
    await loop.saveSnapshot();
    await store.close();
    await lease.release();
    log.info('stopped');
  }
}

/** Read before anything is opened: a wrong file changes nothing. */
async function policyOf({ policyFile, levels }: Config): Promise<Policy> {
  if (policyFile === null) return { ...defaultPolicy, levels };
  const { readPolicyFile } = await import('./policyFile.ts');
  return readPolicyFile(policyFile, levels);
}

interface Parts {
  readonly config: Config;
  readonly loop: Loop;
  readonly store: Store;
  readonly pki: Pki;
  readonly policy: Policy;
  readonly log: pino.Logger;
  readonly stop: AbortSignal;
}

interface Servers {
  listen(): Promise<{ readonly control: string; readonly agents: string }>;
  close(): void;
}

function createServers({ config, loop, store, pki, policy, log, stop }: Parts): Servers {
  const sessions = new Sessions(loop, systemClock, limits.nodeLostAfterMs);
  const changes = new Changes(limits.changesMax, loop.revision);
  loop.onCommit((state, events) => changes.add(state, events));
  const logs = new LogDesk(sessions);
  const access = new Access(loop, systemClock);
  const { desk, starts } = openForecasts({ loop, store, policy, log, stop });
  const onFault: OnFault = ({ method, error }) => log.error({ err: error, method }, 'a handler failed');
  let bound = { control: '', agents: '' };
  const agentAddress = (): string => bound.agents;

  const control = createServer();
  const around = { loop, sessions, changes, logs, access, clock: systemClock, policy, desk, starts };
  const parts = { ...around, version, caHash: pki.caHash, agentAddress };
  addService(control, ControlService, controlHandlers(parts), access.intercept, onFault);
  const enrollment = enrollmentHandlers({
    loop,
    caPem: pki.caCertificatePem,
    agentAddress,
    sign: (csrPem, node) => pki.signNodeCertificate(csrPem, node),
  });
  addService(control, EnrollmentService, enrollment, undefined, onFault);
  const agents = createServer({ 'grpc.keepalive_time_ms': limits.heartbeatMs * 5, 'grpc.keepalive_timeout_ms': limits.heartbeatMs });
  addService(
    agents,
    AgentService,
    agentHandlers({ loop, sessions, logs, telemetry: log.child({ room: 'agents' }), version }),
    undefined,
    onFault,
  );

  const onLoopError = (error: unknown): void => log.warn({ err: error }, 'the loop did not take a timer');
  sessions.watchSilence(limits.silencePeriodMs, stop, onLoopError);
  collectWhenQuiet(
    { revision: () => loop.revision, heapBytes: () => getHeapStatistics().used_heap_size, collect: globalThis.gc },
    systemClock,
    stop,
  );
  systemClock.every(limits.tickMs, () => void loop.offer({ kind: 'tick' }).catch(onLoopError), stop);
  const tls = { certificatePem: pki.serverChainPem, keyPem: pki.serverKeyPem, caPem: pki.caCertificatePem };
  return {
    listen: async () => {
      const agentsPort = await listen(agents, {
        ...config.agents,
        credentials: serverCredentials({ ...tls, requireClientCertificate: true }),
      });
      const controlPort = await listen(control, {
        ...config.control,
        credentials: serverCredentials({ ...tls, requireClientCertificate: false }),
      });
      bound = { control: print(config.control, controlPort), agents: print(config.agents, agentsPort) };
      return bound;
    },
    close: () => {
      control.forceShutdown();
      agents.forceShutdown();
    },
  };
}

/** Both cost nothing until somebody asks, or waits. */
function openForecasts({ loop, store, policy, log, stop }: Omit<Parts, 'config' | 'pki'>): {
  readonly desk: ForecastDesk;
  readonly starts: StartEstimates;
} {
  const telemetry = log.child({ room: 'forecasts' });
  const { forecastsMax: asksMax, forecastIdleMs: idleMs } = limits;
  const desk = new ForecastDesk({ loop, store, clock: systemClock, policy, telemetry, asksMax, idleMs }, stop);
  return { desk, starts: new StartEstimates({ desk, loop, clock: systemClock, telemetry, everyMs: policy.estimatesEveryMs }, stop) };
}

/** What a first start makes: the queue `default`, and a token for who started it. */
async function openForBusiness(
  servers: Servers,
  config: Config,
  loop: Loop,
  pki: Pki,
): Promise<{ readonly control: string; readonly agents: string }> {
  const hasQueues = await loop.read((state) => state.queues.size > 0);
  if (!hasQueues) await loop.offer({ kind: 'applyQueue', name: queueName('default'), labels: {}, spec: defaultQueueSpec });
  const ports = await servers.listen();
  await writeContext(config, loop, pki, ports.control);
  return ports;
}

const contextFileOf = (config: Config): string => join(config.dataFolder, 'context.json');

/** How the CLI reaches this controller; holds a secret, so it is for its owner only. A known token is kept. */
async function writeContext(config: Config, loop: Loop, pki: Pki, server: string): Promise<void> {
  const file = contextFileOf(config);
  const clusterId = await loop.read((state) => state.clusterId);
  const token = (await knownToken(file)) ?? (await issueAdminToken(loop));
  const context = { server: server.replace(/^(0\.0\.0\.0|\[::\])/, '127.0.0.1'), caPem: pki.caCertificatePem, token, clusterId };
  await writeFile(`${file}.new`, `${JSON.stringify(context, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

async function knownToken(file: string): Promise<string | null> {
  const text = await readFile(file, 'utf8').catch(() => null);
  const value: unknown = text === null ? null : JSON.parse(text);
  return typeof value === 'object' && value !== null && 'token' in value && typeof value.token === 'string' ? value.token : null;
}

async function issueAdminToken(loop: Loop): Promise<string> {
  const { secret, facts } = makeToken('user', userName(process.env.USER ?? process.env.LOGNAME ?? 'admin'), null);
  await loop.offer({ kind: 'issueToken', token: facts });
  return `shoal.${facts.id}.${secret}`;
}

function print({ host }: Endpoint, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    // The error last: whoever shows the end of a log shows it.
    process.stderr.write(error instanceof ConfigError ? `${usage}\n\nError: ${message}\n` : `Error: ${message}\n`);
    process.exit(error instanceof ConfigError ? 2 : 1);
  },
);
