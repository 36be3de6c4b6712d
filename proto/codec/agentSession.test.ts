import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AssignmentSchema, HelloSchema, ReportSchema } from '#gen/shoal/v1/agent_pb.js';
import { RpcError } from '#rpc/rpcError.ts';
import type { Assignment, Desire, Launch } from '#vocabulary/assignment.ts';
import { epoch, generation, jobName, jobUid, nodeName } from '#vocabulary/ids.ts';
import { meshAxes } from '#vocabulary/job.ts';
import { workerEnds, type ObservedRank, type ObservedWorker } from '#vocabulary/observed.ts';
import type { Hello, Report } from '#vocabulary/session.ts';
import { assignmentFromWire, assignmentToWire, helloFromWire, helloToWire, reportFromWire, reportToWire } from './agentSession.ts';

const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const count = fc.integer({ min: 1, max: 2 ** 32 - 1 });
const uint64 = fc.maxSafeNat();
const word = fc.string({ maxLength: 8 });
const name = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?$/);
const double = fc.double({ noNaN: true });
const record = fc
  .dictionary(
    word.filter((key) => key !== '__proto__'),
    word,
  )
  .map((values) => ({ ...values }));
const orNull = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(values);
const workerId = fc.record({ job: word.filter((uid) => uid !== '').map(jobUid), attempt: uint32, worker: uint32 });

const rank: fc.Arbitrary<ObservedRank> = fc.record({
  rank: uint32,
  state: fc.oneof(
    fc.constant({ kind: 'starting' as const }),
    fc.record({ kind: fc.constant('running' as const), pid: count }),
    fc.record({
      kind: fc.constant('ended' as const),
      exitCode: orNull(fc.integer({ min: -1, max: 255 })),
      signal: orNull(fc.constantFrom('SIGKILL', 'SIGTERM')),
    }),
  ),
  progress: orNull(fc.record({ step: uint64, loss: orNull(double), tokens: orNull(double), stepSeconds: orNull(double) })),
  checkpoint: orNull(
    fc.record({ step: uint64, path: word, scope: fc.constantFrom('rank' as const, 'job' as const), tookMs: orNull(uint64) }),
  ),
  suspendAware: fc.boolean(),
  suspendAnswer: orNull(fc.record({ round: count, accepted: fc.boolean() })),
});
const worker: fc.Arbitrary<ObservedWorker> = fc.record({
  id: workerId,
  state: fc.oneof(
    fc.record({ kind: fc.constantFrom('starting' as const, 'running' as const, 'stopping' as const) }),
    fc.record({ kind: fc.constant('ended' as const), reason: fc.constantFrom(...workerEnds), message: word }),
  ),
  ranks: fc.array(rank, { maxLength: 3 }),
});
const workers = fc.array(worker, { maxLength: 3 });
const gpuHealth = fc.array(fc.record({ index: uint32, healthy: fc.boolean(), code: word, message: word }), { maxLength: 3 });

const hellos: fc.Arbitrary<Hello> = fc.record({
  node: name.map(nodeName),
  protocolVersion: uint32,
  agentVersion: word,
  inventory: fc.record({
    address: word,
    bootId: word,
    agentVersion: word,
    path: fc.array(word),
    cpuMilli: uint32,
    memoryBytes: uint64,
    os: word,
    gpus: fc.uniqueArray(
      fc
        .record({
          index: uint32,
          uuid: word,
          model: word,
          memoryBytes: uint64,
          pciBusId: word,
          numaNode: uint32,
          nvlinkDomain: orNull(uint32),
          division: fc.constantFrom([], [], ['1g.10gb', '3g.40gb'], ['7g.80gb']),
        })
        .map(({ division, ...gpu }) =>
          division.length === 0 ? gpu : { ...gpu, slots: division.map((profile, at) => ({ profile, uuid: `MIG-${gpu.index}-${at}` })) },
        ),
      { selector: ({ index }) => index },
    ),
  }),
  epochSeen: uint64.map(epoch),
  workers,
  gpuHealth,
  labels: record,
});

const reports: fc.Arbitrary<Report> = fc.record({
  sequence: uint64,
  generation: uint64.map(generation),
  workers,
  gpuHealth,
  samples: fc.array(
    fc.record({ index: uint32, utilizationPercent: uint32, memoryUsedBytes: uint64, powerMilliwatts: uint32, temperatureCelsius: uint32 }),
    { maxLength: 3 },
  ),
});

const wholeLaunch: fc.Arbitrary<Launch> = fc.record({
  jobName: name.map(jobName),
  workers: uint32,
  nodeRank: uint32,
  firstRank: uint32,
  processes: count,
  worldSize: uint32,
  gpusPerWorker: uint32,
  gpuShareMilli: orNull(fc.integer({ min: 1, max: 999 })),
  coordinatorAddress: word,
  coordinatorPort: uint32,
  command: fc.array(word, { minLength: 1 }),
  env: record,
  workingDirectory: word,
  cpuMilli: orNull(fc.maxSafeNat().filter((milli) => milli > 0)),
  memoryBytes: orNull(fc.maxSafeNat().filter((bytes) => bytes > 0)),
  mesh: fc.array(fc.record({ axis: fc.constantFrom(...meshAxes), size: uint32 }), { maxLength: 3 }),
  checkpoint: orNull(
    fc.record({ directory: word, resume: orNull(fc.record({ step: uint64, path: word })), keep: orNull(count), intervalMs: orNull(count) }),
  ),
});
const launch: fc.Arbitrary<Launch> = fc.oneof(
  wholeLaunch,
  wholeLaunch.map((whole) => ({ ...whole, gpuShareMilli: null, gpuSlot: { profile: '1g.10gb', uuid: 'MIG-a' } })),
);
const desire: fc.Arbitrary<Desire> = fc.oneof(
  fc.constant({ kind: 'run' as const }),
  fc.record({ kind: fc.constant('stop' as const), graceMs: uint32, reason: word }),
  fc.record({
    kind: fc.constant('suspend' as const),
    round: uint32,
    stage: fc.oneof(
      fc.constant({ kind: 'ask' as const }),
      fc.record({ kind: fc.constantFrom('propose' as const, 'decided' as const), stopStep: uint64 }),
    ),
    graceMs: uint32,
  }),
);
const assignments: fc.Arbitrary<Assignment> = fc.record({
  epoch: uint64.map(epoch),
  generation: uint64.map(generation),
  workers: fc.array(fc.record({ id: workerId, gpus: fc.array(uint32), launch, desire }), { maxLength: 3 }),
});

describe('what is sent arrives as it was', () => {
  test('hello', () => {
    fc.assert(
      fc.property(hellos, (hello) => {
        expect(helloFromWire(fromBinary(HelloSchema, toBinary(HelloSchema, create(HelloSchema, helloToWire(hello)))))).toEqual(hello);
      }),
    );
  });

  test('report', () => {
    fc.assert(
      fc.property(reports, (report) => {
        expect(reportFromWire(fromBinary(ReportSchema, toBinary(ReportSchema, create(ReportSchema, reportToWire(report)))))).toEqual(
          report,
        );
      }),
    );
  });

  test('assignment', () => {
    fc.assert(
      fc.property(assignments, (assignment) => {
        expect(
          assignmentFromWire(
            fromBinary(AssignmentSchema, toBinary(AssignmentSchema, create(AssignmentSchema, assignmentToWire(assignment)))),
          ),
        ).toEqual(assignment);
      }),
    );
  });
});

function refusal(decode: () => unknown): string {
  try {
    return `taken: ${JSON.stringify(decode())}`;
  } catch (error) {
    return error instanceof RpcError ? `${error.code}: ${error.message}` : String(error);
  }
}

describe('what is half is refused and named', () => {
  const id = { jobUid: 'u', attempt: 1, worker: 0 };
  const hello = (rest: {
    readonly node?: string;
    readonly epochSeen?: bigint;
    readonly inventory?: { gpus: { index: number }[] };
  }): string => refusal(() => helloFromWire(create(HelloSchema, { node: 'n1', inventory: {}, ...rest })));
  const report = (rest: MessageInitShape<typeof ReportSchema>): string => refusal(() => reportFromWire(create(ReportSchema, rest)));
  const assigned = (rest: object): string =>
    refusal(() =>
      assignmentFromWire(create(AssignmentSchema, { workers: [{ id, launch: { jobName: 'j', command: ['x'], processes: 1 }, ...rest }] })),
    );
  const rankOf = (rest: object): string => report({ workers: [{ id, state: 'running', ranks: [{ state: 'starting', ...rest }] }] });

  test.each([
    ['node name', () => hello({ node: 'N 1' }), 'hello.node: "N 1" is not allowed; allowed: ^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$'],
    ['inventory', () => refusal(() => helloFromWire(create(HelloSchema, { node: 'n1' }))), 'hello.inventory: required, but not given'],
    [
      'epoch',
      () => hello({ epochSeen: 2n ** 60n }),
      'hello.epoch_seen: 1152921504606846976 is out of range; allowed: at most 9007199254740991',
    ],
    [
      'a device twice',
      () => hello({ inventory: { gpus: [{ index: 1 }, { index: 1 }] } }),
      'hello.inventory.gpus[1].index: 1 is given twice',
    ],
    ['worker id', () => report({ workers: [{ state: 'running' }] }), 'report.workers[0].id: required, but not given'],
    ['job uid', () => report({ workers: [{ id: {}, state: 'running' }] }), 'report.workers[0].id.job_uid: required, but empty'],
    [
      'worker state',
      () => report({ workers: [{ id, state: 'dancing' }] }),
      'report.workers[0].state: "dancing" is not known; allowed: starting, running, stopping, ended',
    ],
    [
      'end of a worker',
      () => report({ workers: [{ id, state: 'ended' }] }),
      'report.workers[0].end_reason: "" is not known; allowed: exited, killed, launch-failed, vanished',
    ],
    [
      'rank state',
      () => rankOf({ state: 'stopping' }),
      'report.workers[0].ranks[0].state: "stopping" is not known; allowed: starting, running, ended',
    ],
    ['pid', () => rankOf({ state: 'running' }), 'report.workers[0].ranks[0].pid: required of a running rank'],
    [
      'scope',
      () => rankOf({ checkpoint: { scope: 'half' } }),
      'report.workers[0].ranks[0].checkpoint.scope: "half" is not known; allowed: rank, job',
    ],
    ['sample', () => report({ samples: [{ index: 1 }] }), 'report.samples[0].sample: required, but not given'],
    ['launch', () => assigned({ launch: undefined }), 'assignment.workers[0].launch: required, but not given'],
    ['command', () => assigned({ launch: { jobName: 'j', processes: 1 } }), 'assignment.workers[0].launch.command: required, but empty'],
    [
      'processes',
      () => assigned({ launch: { jobName: 'j', command: ['x'] } }),
      'assignment.workers[0].launch.processes: 0 is out of range; allowed: at least 1',
    ],
    [
      'axis',
      () => assigned({ launch: { jobName: 'j', command: ['x'], processes: 1, mesh: [{ name: 'time', size: 2 }] } }),
      'assignment.workers[0].launch.mesh[0].name: "time" is not known; allowed: pipeline, data, context, expert, tensor',
    ],
    [
      'two wishes',
      () => assigned({ stop: {}, suspend: {} }),
      'assignment.workers[0]: has both stop and suspend; allowed: at most one of them',
    ],
    [
      'stop step',
      () => assigned({ suspend: { round: 2, decided: true } }),
      'assignment.workers[0].suspend.stop_step: required once it is decided',
    ],
  ])('%s', (_, decode, want) => {
    expect(decode()).toBe(`INVALID_ARGUMENT: ${want}`);
  });
});
