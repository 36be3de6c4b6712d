/**
 * The agent session's messages ↔ the vocabulary. Strict: a part that is missing, a word that is not known or a number
 * out of range is INVALID_ARGUMENT and names the field, so that neither side ever acts on half a message.
 */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type {
  AssignedWorker as WireAssignedWorker,
  Assignment as WireAssignment,
  AssignmentSchema,
  AssignedWorkerSchema,
  Hello as WireHello,
  HelloSchema,
  Report as WireReport,
  ReportSchema,
  Suspend as WireSuspend,
} from '#gen/shoal/v1/agent_pb.js';
import { assertNever } from '#vocabulary/assert.ts';
import type { AssignedWorker, Assignment, Desire, SuspendStage } from '#vocabulary/assignment.ts';
import { epoch, generation, namePattern, nodeName } from '#vocabulary/ids.ts';
import type { Hello, Report } from '#vocabulary/session.ts';
import { inventoryFromWire, inventoryToWire } from './inventoryWire.ts';
import { launchFromWire, launchToWire } from './launchWire.ts';
import { gpuHealthFromWire, gpuSampleFromWire, gpuSampleToWire, observedWorkersFromWire, observedWorkerToWire } from './observedWire.ts';
import { matching, optionalSafeInteger, refuseField, required, safeInteger, zeroAsNull } from './wireValue.ts';
import { workerIdFromWire, workerIdToWire } from './workerIdWire.ts';

export function helloFromWire(wire: WireHello): Hello {
  return {
    node: nodeName(matching(wire.node, namePattern, 'hello.node')),
    protocolVersion: wire.protocolVersion,
    agentVersion: wire.agentVersion,
    inventory: inventoryFromWire(wire.inventory, 'hello.inventory'),
    epochSeen: epoch(safeInteger(wire.epochSeen, 'hello.epoch_seen')),
    workers: observedWorkersFromWire(wire.workers, 'hello.workers'),
    gpuHealth: wire.gpuHealth.map(gpuHealthFromWire),
    labels: wire.labels,
  };
}

export function helloToWire({ inventory, epochSeen, workers, gpuHealth, labels, ...rest }: Hello): MessageInitShape<typeof HelloSchema> {
  return {
    ...rest,
    inventory: inventoryToWire(inventory),
    epochSeen: BigInt(epochSeen),
    workers: workers.map(observedWorkerToWire),
    gpuHealth: [...gpuHealth],
    labels: { ...labels },
  };
}

export function reportFromWire(wire: WireReport): Report {
  return {
    sequence: safeInteger(wire.sequence, 'report.sequence'),
    generation: generation(safeInteger(wire.generation, 'report.generation')),
    workers: observedWorkersFromWire(wire.workers, 'report.workers'),
    gpuHealth: wire.gpuHealth.map(gpuHealthFromWire),
    samples: wire.samples.map((sample, index) => gpuSampleFromWire(sample, `report.samples[${index}]`)),
  };
}

export function reportToWire({ sequence, generation: taken, workers, gpuHealth, samples }: Report): MessageInitShape<typeof ReportSchema> {
  return {
    sequence: BigInt(sequence),
    generation: BigInt(taken),
    workers: workers.map(observedWorkerToWire),
    gpuHealth: [...gpuHealth],
    samples: samples.map(gpuSampleToWire),
  };
}

export function assignmentFromWire(wire: WireAssignment): Assignment {
  return {
    epoch: epoch(safeInteger(wire.epoch, 'assignment.epoch')),
    generation: generation(safeInteger(wire.generation, 'assignment.generation')),
    workers: wire.workers.map((worker, index) => assignedWorkerFromWire(worker, `assignment.workers[${index}]`)),
  };
}

export function assignmentToWire(assignment: Assignment): MessageInitShape<typeof AssignmentSchema> {
  return {
    epoch: BigInt(assignment.epoch),
    generation: BigInt(assignment.generation),
    workers: assignment.workers.map(assignedWorkerToWire),
  };
}

function assignedWorkerFromWire(wire: WireAssignedWorker, field: string): AssignedWorker {
  return {
    id: workerIdFromWire(wire.id, `${field}.id`),
    gpus: wire.gpus,
    launch: launchFromWire(required(wire.launch, `${field}.launch`), `${field}.launch`),
    desire: desireFromWire(wire, field),
  };
}

function assignedWorkerToWire({ id, gpus, launch, desire }: AssignedWorker): MessageInitShape<typeof AssignedWorkerSchema> {
  return { id: workerIdToWire(id), gpus: [...gpus], launch: launchToWire(launch), ...desireToWire(desire) };
}

function desireFromWire({ stop, suspend }: WireAssignedWorker, field: string): Desire {
  if (stop !== undefined && suspend !== undefined) refuseField(field, 'has both stop and suspend; allowed: at most one of them');
  if (stop !== undefined) return { kind: 'stop', graceMs: stop.graceMs, reason: stop.reason };
  if (suspend === undefined) return { kind: 'run' };
  const { round, graceMs, reason, workers } = suspend;
  const why = reason === '' ? {} : { why: { reason, workers: zeroAsNull(workers) } };
  return { kind: 'suspend', round, stage: stageFromWire(suspend, `${field}.suspend`), graceMs, ...why };
}

function stageFromWire({ stopStep: step, decided }: WireSuspend, field: string): SuspendStage {
  const stopStep = optionalSafeInteger(step, `${field}.stop_step`);
  if (decided) return { kind: 'decided', stopStep: stopStep ?? refuseField(`${field}.stop_step`, 'required once it is decided') };
  return stopStep === null ? { kind: 'ask' } : { kind: 'propose', stopStep };
}

function desireToWire(desire: Desire) {
  switch (desire.kind) {
    case 'run':
      return {};
    case 'stop':
      return { stop: { graceMs: desire.graceMs, reason: desire.reason } };
    case 'suspend': {
      const { round, stage, graceMs, why } = desire;
      const stopStep = stage.kind === 'ask' ? {} : { stopStep: BigInt(stage.stopStep) };
      const told = why === undefined ? {} : { reason: why.reason, workers: why.workers ?? 0 };
      return { suspend: { round, graceMs, decided: stage.kind === 'decided', ...stopStep, ...told } };
    }
    default:
      return assertNever(desire);
  }
}
