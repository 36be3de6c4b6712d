import { describe, expect, it } from 'vitest';
import type { Launch } from '#vocabulary/assignment.ts';
import { jobName, jobUid } from '#vocabulary/ids.ts';
import { attemptFolder, environmentOf, resolveLaunch } from './environment.ts';
import { peersOf } from './meshView.ts';

/** Worker 1 of 2, 2 GPUs each, one process a worker, data 2 x tensor 2. */
const launch: Launch = {
  jobName: jobName('train-gpt'),
  workers: 2,
  nodeRank: 1,
  firstRank: 1,
  processes: 1,
  worldSize: 2,
  gpusPerWorker: 2,
  gpuShareMilli: null,
  coordinatorAddress: '10.0.0.1',
  coordinatorPort: 4321,
  command: ['python3', 'train.py'],
  env: {},
  workingDirectory: 'job',
  cpuMilli: null,
  memoryBytes: null,
  mesh: [
    { axis: 'data', size: 2 },
    { axis: 'tensor', size: 2 },
  ],
  checkpoint: { directory: '../ck', resume: { step: 40, path: '/ck/attempt-1/step-40' }, keep: 3, intervalMs: 90_000 },
};
const id = { job: jobUid('u1'), attempt: 2, worker: 1 };
const base = {
  id,
  gpuUuids: ['GPU-a', 'GPU-b'],
  socketPath: '/s/x.sock',
  agentEnv: { PATH: '/bin', HOME: '/root', SECRET: 'x' },
  networkInterface: null,
};
const environment = (change: Partial<Launch> = {}, rank = 1) =>
  environmentOf({ ...base, rank, launch: resolveLaunch({ ...launch, ...change }, '/srv') });

describe('the environment of a rank', () => {
  it('is all that torch, torchrun, JAX and the SDK look for, and of the agent’s own only PATH, HOME and LANG', () => {
    expect(environment()).toEqual({
      PATH: '/bin',
      HOME: '/root',
      RANK: '1',
      WORLD_SIZE: '2',
      LOCAL_RANK: '0',
      LOCAL_WORLD_SIZE: '1',
      NODE_RANK: '1',
      NNODES: '2',
      MASTER_ADDR: '10.0.0.1',
      MASTER_PORT: '4321',
      PET_NNODES: '2',
      PET_NODE_RANK: '1',
      PET_NPROC_PER_NODE: '2',
      PET_MASTER_ADDR: '10.0.0.1',
      PET_MASTER_PORT: '4321',
      JAX_COORDINATOR_ADDRESS: '10.0.0.1:4321',
      JAX_NUM_PROCESSES: '2',
      JAX_PROCESS_ID: '1',
      CUDA_VISIBLE_DEVICES: 'GPU-a,GPU-b',
      CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
      PYTHONUNBUFFERED: '1',
      SHOAL_JOB: 'train-gpt',
      SHOAL_JOB_UID: 'u1',
      SHOAL_ATTEMPT: '2',
      SHOAL_WORKER: '1',
      SHOAL_WORKER_KEY: 'u1/2/1',
      SHOAL_RANK: '1',
      SHOAL_MESH: '{"data":2,"tensor":2}',
      SHOAL_MESH_DATA: '1',
      SHOAL_MESH_TENSOR: '0',
      SHOAL_SOCKET: '/s/x.sock',
      SHOAL_CHECKPOINT_DIR: '/srv/ck/attempt-2',
      SHOAL_CHECKPOINT_ROOT: '/srv/ck',
      SHOAL_CHECKPOINT_KEEP: '3',
      SHOAL_CHECKPOINT_INTERVAL_S: '90',
      SHOAL_RESUME_STEP: '40',
      SHOAL_RESUME_PATH: '/ck/attempt-1/step-40',
    });
  });

  it('shows a process its own GPU only when there is one process a GPU', () => {
    const perGpu = { processes: 2, firstRank: 2, worldSize: 4 };
    expect([2, 3].map((rank) => environment(perGpu, rank)['CUDA_VISIBLE_DEVICES'])).toEqual(['GPU-a', 'GPU-b']);
    expect([2, 3].map((rank) => environment(perGpu, rank)['SHOAL_MESH_TENSOR'])).toEqual(['0', '1']);
  });

  it('names the part of its GPU that a worker has, and nothing when it has whole ones', () => {
    expect(environment({ gpuShareMilli: 250 })['SHOAL_GPU_SHARE']).toBe('250m');
    expect(environment({ gpuShareMilli: null })['SHOAL_GPU_SHARE']).toBe(undefined);
  });

  it('shows a worker that has a slot that slot alone, and names its profile', () => {
    const gpuSlot = { profile: '1g.10gb', uuid: 'MIG-a' };
    const env = environmentOf({ ...base, rank: 1, launch: { ...launch, gpusPerWorker: 1, gpuSlot }, gpuUuids: ['MIG-a'] });
    expect([env['CUDA_VISIBLE_DEVICES'], env['SHOAL_GPU_PROFILE'], env['SHOAL_GPU_SHARE']]).toEqual(['MIG-a', '1g.10gb', undefined]);
    expect(environment()['SHOAL_GPU_PROFILE']).toBe(undefined);
  });

  it('lets the program replace what it likes, but nothing that begins with SHOAL_', () => {
    const env = environment({ env: { MASTER_PORT: '1', MY: 'own', SHOAL_SOCKET: '/tmp/evil', SHOAL_EXTRA: 'x' } });
    expect([env['MASTER_PORT'], env['MY'], env['SHOAL_SOCKET'], env['SHOAL_EXTRA']]).toEqual(['1', 'own', '/s/x.sock', undefined]);
  });

  it('names the network interface that bears the node’s address', () => {
    const env = environmentOf({ ...base, rank: 1, launch, networkInterface: 'eth0' });
    expect([env['NCCL_SOCKET_IFNAME'], env['GLOO_SOCKET_IFNAME']]).toEqual(['=eth0', 'eth0']);
  });
});

describe('folders', () => {
  it.each([
    ['', '/srv'],
    ['job', '/srv/job'],
    ['/data/./x/', '/data/x'],
    ['../..', '/'],
  ])('working directory "%s" is %s', (given, want) => {
    expect(resolveLaunch({ ...launch, workingDirectory: given }, '/srv').workingDirectory).toBe(want);
  });

  it('a job without checkpoints has no attempt folder', () => {
    expect(attemptFolder(id, { ...launch, checkpoint: null })).toBe(null);
  });
});

describe('peers', () => {
  it('are the ranks along each axis', () => {
    const four = { ...launch, processes: 2, workers: 2, worldSize: 4 };
    expect([0, 1, 2, 3].map((rank) => Object.fromEntries(peersOf(four, rank)))).toEqual([
      { data: [0, 2], tensor: [0, 1] },
      { data: [1, 3], tensor: [0, 1] },
      { data: [0, 2], tensor: [2, 3] },
      { data: [1, 3], tensor: [2, 3] },
    ]);
  });

  it('are named once when one rank holds several GPUs of an axis', () => {
    expect(Object.fromEntries(peersOf(launch, 1))).toEqual({ data: [0, 1], tensor: [1] });
  });
});
