/** What an agent sees of workers and devices ↔ its messages. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type {
  GpuHealth as WireGpuHealth,
  GpuSampleAt,
  GpuSampleAtSchema,
  ObservedCheckpoint as WireCheckpoint,
  ObservedCheckpointSchema,
  ObservedRank as WireRank,
  ObservedRankSchema,
  ObservedWorker as WireWorker,
  ObservedWorkerSchema,
} from '#gen/shoal/v1/agent_pb.js';
import { assertNever } from '#vocabulary/assert.ts';
import {
  workerEnds,
  type GpuHealth,
  type GpuSample,
  type ObservedCheckpoint,
  type ObservedRank,
  type ObservedWorker,
  type RankState,
  type WorkerState,
} from '#vocabulary/observed.ts';
import { oneOf, required, safeInteger, refuseField } from './wireValue.ts';
import { workerIdFromWire, workerIdToWire } from './workerIdWire.ts';

export function observedWorkersFromWire(wire: readonly WireWorker[], field: string): readonly ObservedWorker[] {
  return wire.map((worker, index) => {
    const here = `${field}[${index}]`;
    return {
      id: workerIdFromWire(worker.id, `${here}.id`),
      state: workerStateFromWire(worker, here),
      ranks: worker.ranks.map((rank, position) => rankFromWire(rank, `${here}.ranks[${position}]`)),
    };
  });
}

function workerStateFromWire({ state, endReason, endMessage }: WireWorker, field: string): WorkerState {
  const kind = oneOf(state, ['starting', 'running', 'stopping', 'ended'], `${field}.state`);
  return kind === 'ended' ? { kind, reason: oneOf(endReason, workerEnds, `${field}.end_reason`), message: endMessage } : { kind };
}

function rankFromWire(wire: WireRank, field: string): ObservedRank {
  const { rank, progress, checkpoint, suspendAware, suspendRound, suspendAccepted } = wire;
  return {
    rank,
    state: rankStateFromWire(wire, field),
    progress:
      progress === undefined
        ? null
        : {
            step: safeInteger(progress.step, `${field}.progress.step`),
            loss: progress.loss ?? null,
            tokens: progress.tokens ?? null,
            stepSeconds: progress.stepSeconds ?? null,
          },
    checkpoint: checkpoint === undefined ? null : checkpointFromWire(checkpoint, `${field}.checkpoint`),
    suspendAware,
    suspendAnswer: suspendRound === 0 ? null : { round: suspendRound, accepted: suspendAccepted },
  };
}

function rankStateFromWire({ state, pid, exitCode, signal }: WireRank, field: string): RankState {
  const kind = oneOf(state, ['starting', 'running', 'ended'], `${field}.state`);
  switch (kind) {
    case 'starting':
      return { kind };
    case 'running':
      return pid === 0 ? refuseField(`${field}.pid`, 'required of a running rank') : { kind, pid };
    case 'ended':
      return { kind, exitCode: exitCode ?? null, signal: signal === '' ? null : signal };
    default:
      return assertNever(kind);
  }
}

function checkpointFromWire({ step, path, scope, tookMs }: WireCheckpoint, field: string): ObservedCheckpoint {
  return {
    step: safeInteger(step, `${field}.step`),
    path,
    scope: oneOf(scope, ['rank', 'job'], `${field}.scope`),
    tookMs: tookMs === undefined ? null : safeInteger(tookMs, `${field}.took_ms`),
  };
}

function checkpointToWire({ step, path, scope, tookMs }: ObservedCheckpoint): MessageInitShape<typeof ObservedCheckpointSchema> {
  return { step: BigInt(step), path, scope, ...(tookMs === null ? {} : { tookMs: BigInt(tookMs) }) };
}

export function observedWorkerToWire({ id, state, ranks }: ObservedWorker): MessageInitShape<typeof ObservedWorkerSchema> {
  const end = state.kind === 'ended' ? { endReason: state.reason, endMessage: state.message } : {};
  return { id: workerIdToWire(id), state: state.kind, ranks: ranks.map(rankToWire), ...end };
}

function rankToWire({
  rank,
  state,
  progress,
  checkpoint,
  suspendAware,
  suspendAnswer,
}: ObservedRank): MessageInitShape<typeof ObservedRankSchema> {
  return {
    rank,
    ...rankStateToWire(state),
    ...(progress === null
      ? {}
      : {
          progress: {
            step: BigInt(progress.step),
            ...withoutNull({ loss: progress.loss, tokens: progress.tokens, stepSeconds: progress.stepSeconds }),
          },
        }),
    ...(checkpoint === null ? {} : { checkpoint: checkpointToWire(checkpoint) }),
    suspendAware,
    ...(suspendAnswer === null ? {} : { suspendRound: suspendAnswer.round, suspendAccepted: suspendAnswer.accepted }),
  };
}

function rankStateToWire(state: RankState) {
  switch (state.kind) {
    case 'starting':
      return { state: state.kind };
    case 'running':
      return { state: state.kind, pid: state.pid };
    case 'ended':
      return { state: state.kind, ...withoutNull({ exitCode: state.exitCode }), signal: state.signal ?? '' };
    default:
      return assertNever(state);
  }
}

/** Leaves out what is null: absent on the wire. */
function withoutNull<K extends string>(values: Readonly<Record<K, number | null>>): { [N in K]?: number } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)) as { [N in K]?: number };
}

export const gpuHealthFromWire = ({ index, healthy, code, message }: WireGpuHealth): GpuHealth => ({ index, healthy, code, message });

export function gpuSampleFromWire({ index, sample }: GpuSampleAt, field: string): GpuSample {
  const { utilizationPercent, memoryUsedBytes, powerMilliwatts, temperatureCelsius } = required(sample, `${field}.sample`);
  return {
    index,
    utilizationPercent,
    memoryUsedBytes: safeInteger(memoryUsedBytes, `${field}.sample.memory_used_bytes`),
    powerMilliwatts,
    temperatureCelsius,
  };
}

export function gpuSampleToWire({ index, memoryUsedBytes, ...rest }: GpuSample): MessageInitShape<typeof GpuSampleAtSchema> {
  return { index, sample: { ...rest, memoryUsedBytes: BigInt(memoryUsedBytes) } };
}
