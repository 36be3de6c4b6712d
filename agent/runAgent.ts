/** Puts the parts of an agent together and runs them until aborted. The ranks outlive it. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { workerKey } from '#vocabulary/job.ts';
import type { NodeInventory } from '#vocabulary/topology.ts';
import { createLocalFolders } from './adapters/folders/localFolders.ts';
import { openFileJournal } from './adapters/journal/fileJournal.ts';
import { startGrpcLink } from './adapters/link/grpcLink.ts';
import { takeDataLock } from './adapters/lock/dataLock.ts';
import { createProcessRuntime } from './adapters/process/processRuntime.ts';
import { isRunning, openProcessTable } from './adapters/process/processTable.ts';
import { createSimulatedGpus, type SimulatedGpus } from './adapters/simulated/simulatedGpus.ts';
import { createUnixSockets } from './adapters/workload/unixSockets.ts';
import type { RunOptions } from './config.ts';
import { findRankRecord, type NodeState } from './core/nodeState.ts';
import { limits } from './limits.ts';
import { Background } from './loop/background.ts';
import { startNode, type Node } from './loop/startNode.ts';
import { findUser, interfaceOf, readMachine, type SystemUser } from './machine.ts';
import { readIdentity, type NodeIdentity } from './nodeIdentity.ts';
import type { Runtime } from './ports/runtime.ts';
import { createRankLogs } from './rankLogs.ts';
import { systemClock } from './systemClock.ts';
import { agentVersion } from './version.ts';

/** Rejects with why it cannot run. Resolves when `signal` was aborted and everything is closed. */
export async function runAgent(options: RunOptions, log: Logger, signal: AbortSignal): Promise<void> {
  const identity = await readIdentity(options.dataFolder);
  if (identity.node !== null && identity.node !== options.node) {
    throw new Error(`--node ${options.node}: this data folder belongs to node ${identity.node}`);
  }
  const owner = options.runAs === null ? null : await findUser(options.runAs);
  const { bootId, release } = await lockData(options.dataFolder);
  try {
    await runLocked({ options, identity, owner, bootId, log }, signal);
  } finally {
    release();
  }
}

async function lockData(dataFolder: string): Promise<{ readonly bootId: string; readonly release: () => void }> {
  const table = await openProcessTable();
  const entry = await table.find(process.pid);
  const self = { pid: process.pid, startTime: entry?.startTime ?? 0, bootId: table.bootId };
  const release = await takeDataLock({ path: join(dataFolder, 'agent.lock'), self, isAlive: (identity) => isRunning(table, identity) });
  return { bootId: table.bootId, release };
}

interface Run {
  readonly options: RunOptions;
  readonly identity: NodeIdentity;
  readonly owner: SystemUser | null;
  readonly bootId: string;
  readonly log: Logger;
}

async function runLocked(run: Run, signal: AbortSignal): Promise<void> {
  const { options, log, owner } = run;
  const { dataFolder, workFolder, cgroups } = options;
  await mkdir(workFolder, { recursive: true });
  const gpus = await createSimulatedGpus({ node: options.node, ...options.gpus, controlSocket: join(dataFolder, 'gpu.sock') });
  const runtime = await createProcessRuntime({
    root: dataFolder,
    workDir: workFolder,
    cgroups,
    user: owner,
    logLimits: limits.rankLogs,
    notice: (message) => log.warn(message),
  });
  const journal = await openFileJournal(join(dataFolder, 'journal'));
  log.info(
    { node: options.node, isolation: runtime.isolation, gpus: options.gpus, pid: process.pid, version: agentVersion },
    'agent started',
  );
  try {
    const node = await openNode({ ...run, gpus, runtime, journal });
    await serveController(run, { node, gpus }, signal);
    await node.stop();
  } finally {
    await runtime.close();
    await gpus.close();
    await journal.close();
    log.info('agent stopped; its ranks live on');
  }
}

interface OpenParts extends Run {
  readonly gpus: SimulatedGpus;
  readonly runtime: Runtime;
  readonly journal: Awaited<ReturnType<typeof openFileJournal>>;
}

async function openNode({ options, owner, bootId, log, gpus, runtime, journal }: OpenParts): Promise<Node> {
  const { cpuMilli, memoryBytes, os } = await readMachine();
  const { address, path, labels, dataFolder, workFolder } = options;
  const inventory: NodeInventory = { address, bootId, agentVersion, path, cpuMilli, memoryBytes, os, gpus: await gpus.inventory() };
  return await startNode({
    inventory,
    labels,
    journal,
    runtime,
    gpu: gpus,
    clock: systemClock,
    folders: createLocalFolders(owner),
    sockets: (desk) => createUnixSockets({ folder: join(dataFolder, 's'), desk, owner, log }),
    facts: { workFolder, networkInterface: interfaceOf(address), agentEnv: process.env },
    background: new Background(log),
    log,
  });
}

async function serveController(
  { options, identity, log }: Run,
  { node, gpus }: Pick<OpenParts, 'gpus'> & { readonly node: Node },
  signal: AbortSignal,
): Promise<void> {
  const address = options.controller ?? identity.agentAddress;
  if (address === null) throw new Error('--controller is missing, and joining did not tell where the controller is');
  const logs = createRankLogs({ root: options.dataFolder, isLive: (id, rank) => isLive(node.state(), workerKey(id), rank) });
  const link = startGrpcLink({
    address,
    node: options.node,
    agentVersion,
    tls: identity.tls,
    session: node.session,
    logs,
    clock: systemClock,
    random: Math.random,
    log,
  });
  node.onReportable(() => {
    gpus.setBusy(busyGpus(node.state()));
    link.changed();
  });
  gpus.setBusy(busyGpus(node.state()));
  await aborted(signal);
  await link.close();
}

function isLive(state: NodeState, key: string, rank: number): boolean {
  const worker = state.workers.get(key);
  const kind = worker === undefined ? undefined : findRankRecord(worker, rank)?.life.kind;
  return kind === 'pending' || kind === 'launching' || kind === 'running';
}

function busyGpus(state: NodeState): readonly number[] {
  return [...state.workers.values()].filter(({ end }) => end.kind !== 'ended').flatMap(({ gpus }) => gpus);
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
