import type { MessageInitShape } from '@bufbuild/protobuf';
import type {
  Launch as WireLaunch,
  LaunchCheckpoint as WireLaunchCheckpoint,
  LaunchCheckpointSchema,
  LaunchSchema,
} from '#gen/shoal/v1/agent_pb.js';
import type { Launch, LaunchCheckpoint } from '#vocabulary/assignment.ts';
import { jobName, namePattern } from '#vocabulary/ids.ts';
import { meshAxes } from '#vocabulary/job.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import { gpuSlotFromWire } from './inventoryWire.ts';
import { matching, oneOf, optionalSafeInteger, refuseField, safeInteger, zeroAsNull } from './wireValue.ts';

export function launchFromWire(wire: WireLaunch, field: string): Launch {
  if (wire.command.length === 0) refuseField(`${field}.command`, 'required, but empty');
  if (wire.processes === 0) refuseField(`${field}.processes`, '0 is out of range; allowed: at least 1');
  return {
    jobName: jobName(matching(wire.jobName, namePattern, `${field}.job_name`)),
    workers: wire.workers,
    nodeRank: wire.nodeRank,
    firstRank: wire.firstRank,
    processes: wire.processes,
    worldSize: wire.worldSize,
    gpusPerWorker: wire.gpusPerWorker,
    gpuShareMilli: shareFromWire(wire, field),
    ...(wire.gpuSlot === undefined ? {} : { gpuSlot: gpuSlotFromWire(wire.gpuSlot, `${field}.gpu_slot`) }),
    coordinatorAddress: wire.coordinatorAddress,
    coordinatorPort: wire.coordinatorPort,
    command: wire.command,
    env: wire.env,
    workingDirectory: wire.workingDirectory,
    cpuMilli: zeroAsNull(safeInteger(wire.cpuMilli, `${field}.cpu_milli`)),
    memoryBytes: zeroAsNull(safeInteger(wire.memoryBytes, `${field}.memory_bytes`)),
    ...(wire.minWorkers === 0 ? {} : { sizes: { min: wire.minWorkers, max: wire.maxWorkers } }),
    mesh: wire.mesh.map(({ name, size }, index) => ({ axis: oneOf(name, meshAxes, `${field}.mesh[${index}].name`), size })),
    checkpoint: wire.checkpoint === undefined ? null : checkpointFromWire(wire.checkpoint, `${field}.checkpoint`),
  };
}

export function launchToWire({
  cpuMilli,
  gpuShareMilli,
  memoryBytes,
  mesh,
  checkpoint,
  command,
  env,
  sizes,
  ...rest
}: Launch): MessageInitShape<typeof LaunchSchema> {
  return {
    ...rest,
    command: [...command],
    env: { ...env },
    cpuMilli: BigInt(cpuMilli ?? 0),
    gpuShareMilli: gpuShareMilli ?? 0,
    memoryBytes: BigInt(memoryBytes ?? 0),
    mesh: mesh.map(({ axis, size }) => ({ name: axis, size })),
    ...(sizes === undefined ? {} : { minWorkers: sizes.min, maxWorkers: sizes.max }),
    ...(checkpoint === null ? {} : { checkpoint: checkpointToWire(checkpoint) }),
  };
}

function shareFromWire({ gpuShareMilli }: WireLaunch, field: string): number | null {
  if (gpuShareMilli >= gpuMilliPerGpu) refuseField(`${field}.gpu_share_milli`, `${gpuShareMilli} is out of range; allowed: 0..999`);
  return zeroAsNull(gpuShareMilli);
}

function checkpointFromWire(wire: WireLaunchCheckpoint, field: string): LaunchCheckpoint {
  const step = optionalSafeInteger(wire.resumeStep, `${field}.resume_step`);
  return {
    directory: wire.directory,
    resume: step === null ? null : { step, path: wire.resumePath },
    keep: zeroAsNull(wire.keep),
    intervalMs: zeroAsNull(wire.intervalMs),
  };
}

function checkpointToWire({ directory, resume, keep, intervalMs }: LaunchCheckpoint): MessageInitShape<typeof LaunchCheckpointSchema> {
  return {
    directory,
    keep: keep ?? 0,
    intervalMs: intervalMs ?? 0,
    ...(resume === null ? {} : { resumeStep: BigInt(resume.step), resumePath: resume.path }),
  };
}
