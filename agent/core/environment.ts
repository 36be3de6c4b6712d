/**
 * The environment of a rank: what torch, torchrun, JAX and NCCL look for, and what Shoal tells. The program's own
 * variables come last and may replace all but SHOAL_*, which the workload API and the SDK rely on.
 */
import type { Launch } from '#vocabulary/assignment.ts';
import { workerKey, type WorkerId } from '#vocabulary/job.ts';
import { coordinatesOf } from './meshView.ts';
import { absolutePath } from './paths.ts';

export interface EnvironmentContext {
  readonly id: WorkerId;
  readonly rank: number;
  /** As resolved by `resolveLaunch`: folders absolute. */
  readonly launch: Launch;
  /** UUIDs of the worker's GPUs, in the order of their assignment, or of its slot. */
  readonly gpuUuids: readonly string[];
  readonly socketPath: string;
  /** The agent's own; of it only PATH, HOME and LANG reach the program. */
  readonly agentEnv: Readonly<Record<string, string | undefined>>;
  /** Network interface that bears the node's address; null: not known, libraries choose. */
  readonly networkInterface: string | null;
}

export type Environment = Readonly<Record<string, string>>;

/** The launch with its folders absolute; `workFolder` is the agent's, and absolute. */
export function resolveLaunch(launch: Launch, workFolder: string): Launch {
  const workingDirectory = absolutePath(workFolder, launch.workingDirectory);
  if (launch.checkpoint === null) return { ...launch, workingDirectory };
  const { directory, resume } = launch.checkpoint;
  const checkpoint = {
    ...launch.checkpoint,
    directory: absolutePath(workingDirectory, directory),
    resume: resume === null ? null : { step: resume.step, path: absolutePath(workingDirectory, resume.path) },
  };
  return { ...launch, workingDirectory, checkpoint };
}

/** Where this attempt writes its checkpoints; null: the job keeps none. */
export function attemptFolder({ attempt }: WorkerId, { checkpoint }: Launch): string | null {
  return checkpoint === null ? null : `${checkpoint.directory}/attempt-${attempt}`;
}

export function environmentOf(context: EnvironmentContext): Environment {
  const own = Object.entries(context.launch.env).filter(([name]) => !name.startsWith('SHOAL_'));
  return {
    ...inherited(context.agentEnv),
    ...processGroup(context),
    ...devices(context),
    ...network(context.networkInterface),
    PYTHONUNBUFFERED: '1',
    ...Object.fromEntries(own),
    ...shoal(context),
  };
}

function inherited(agentEnv: EnvironmentContext['agentEnv']): Environment {
  const env: Record<string, string> = {};
  for (const name of ['PATH', 'HOME', 'LANG']) {
    const value = agentEnv[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

function processGroup({ launch, rank }: EnvironmentContext): Environment {
  const { worldSize, processes, nodeRank, workers, firstRank, coordinatorAddress, coordinatorPort } = launch;
  const port = String(coordinatorPort);
  return {
    RANK: String(rank),
    WORLD_SIZE: String(worldSize),
    LOCAL_RANK: String(rank - firstRank),
    LOCAL_WORLD_SIZE: String(processes),
    NODE_RANK: String(nodeRank),
    NNODES: String(workers),
    MASTER_ADDR: coordinatorAddress,
    MASTER_PORT: port,
    PET_NNODES: String(workers),
    PET_NODE_RANK: String(nodeRank),
    PET_NPROC_PER_NODE: String(launch.gpusPerWorker > 0 ? launch.gpusPerWorker : processes),
    PET_MASTER_ADDR: coordinatorAddress,
    PET_MASTER_PORT: port,
    JAX_COORDINATOR_ADDRESS: coordinatorAddress.includes(':') ? `[${coordinatorAddress}]:${port}` : `${coordinatorAddress}:${port}`,
    JAX_NUM_PROCESSES: String(worldSize),
    JAX_PROCESS_ID: String(rank),
  };
}

/** One process a GPU sees its own only; one process a worker sees all. No GPUs: an empty list hides those of others. */
function devices({ launch, rank, gpuUuids }: EnvironmentContext): Environment {
  const share = Math.floor(gpuUuids.length / Math.max(1, launch.processes));
  const first = (rank - launch.firstRank) * share;
  const visible = launch.processes > 1 ? gpuUuids.slice(first, first + share) : gpuUuids;
  return { CUDA_VISIBLE_DEVICES: visible.join(','), CUDA_DEVICE_ORDER: 'PCI_BUS_ID' };
}

/** `=` makes NCCL take the name whole instead of as a prefix (NCCL environment variables, NCCL_SOCKET_IFNAME). */
function network(networkInterface: string | null): Environment {
  if (networkInterface === null) return {};
  return { NCCL_SOCKET_IFNAME: `=${networkInterface}`, GLOO_SOCKET_IFNAME: networkInterface };
}

function shoal(context: EnvironmentContext): Environment {
  const { id, launch, rank, socketPath } = context;
  const env: Record<string, string> = {
    SHOAL_JOB: launch.jobName,
    SHOAL_JOB_UID: id.job,
    SHOAL_ATTEMPT: String(id.attempt),
    SHOAL_WORKER: String(id.worker),
    SHOAL_WORKER_KEY: workerKey(id),
    SHOAL_RANK: String(rank),
    SHOAL_MESH: JSON.stringify(Object.fromEntries(launch.mesh.map(({ axis, size }) => [axis, size]))),
    SHOAL_SOCKET: socketPath,
  };
  if (launch.gpuShareMilli !== null) env.SHOAL_GPU_SHARE = `${launch.gpuShareMilli}m`;
  if (launch.gpuSlot !== undefined) env.SHOAL_GPU_PROFILE = launch.gpuSlot.profile;
  for (const [axis, coordinate] of coordinatesOf(launch, rank)) env[`SHOAL_MESH_${axis.toUpperCase()}`] = String(coordinate);
  return { ...env, ...checkpointOf(id, launch) };
}

function checkpointOf(id: WorkerId, launch: Launch): Environment {
  const { checkpoint } = launch;
  const folder = attemptFolder(id, launch);
  if (checkpoint === null || folder === null) return {};
  const { directory, resume, keep, intervalMs } = checkpoint;
  return {
    SHOAL_CHECKPOINT_DIR: folder,
    SHOAL_CHECKPOINT_ROOT: directory,
    ...(keep === null ? {} : { SHOAL_CHECKPOINT_KEEP: String(keep) }),
    ...(intervalMs === null ? {} : { SHOAL_CHECKPOINT_INTERVAL_S: String(intervalMs / 1000) }),
    ...(resume === null ? {} : { SHOAL_RESUME_STEP: String(resume.step), SHOAL_RESUME_PATH: resume.path }),
  };
}
