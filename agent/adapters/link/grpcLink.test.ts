import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { assignmentToWire } from '#codec/agentSession.ts';
import type { Assignment } from '#vocabulary/assignment.ts';
import { epoch, generation, nodeName, type Epoch } from '#vocabulary/ids.ts';
import { startControllerDouble, type ControllerDouble, type SessionDouble } from '../../testing/controllerDouble.ts';
import { createTestCa, type TestCa } from '../../testing/testCertificates.ts';
import { assignedWorker } from '../../testing/nodeGround.ts';
import type { Link, NodeSession } from '../../ports/link.ts';
import type { LogSource } from '../../ports/logs.ts';
import { systemClock } from '../../systemClock.ts';
import { startGrpcLink } from './grpcLink.ts';

let ca: TestCa;
let controller: ControllerDouble;
let link: Link | null = null;
let onWarning = (_line: string): void => undefined;
beforeEach(async () => {
  ca = await createTestCa();
  controller = await startControllerDouble(ca);
});
afterEach(async () => {
  await link?.close();
  link = null;
  controller.close();
});

class NodeDouble implements NodeSession {
  version = 1;
  obeys: (leader: Epoch) => string | null = () => null;
  readonly assignments: Assignment[] = [];
  acknowledged = 0;
  #onHeard: () => void = () => undefined;

  hello() {
    const inventory = {
      address: '127.0.0.1',
      bootId: 'b',
      agentVersion: '1',
      path: ['z1', 'b1', 'r1'],
      cpuMilli: 1000,
      memoryBytes: 1024,
      os: 'x',
      gpus: [],
    };
    return { inventory, epochSeen: epoch(3), workers: [], gpuHealth: [], labels: { pool: 'blue' } };
  }
  report() {
    return { version: this.version, generation: generation(2), workers: [], gpuHealth: [], samples: [] };
  }
  onWelcome(leader: Epoch) {
    return this.obeys(leader);
  }
  onAssignment(assignment: Assignment) {
    this.assignments.push(assignment);
    this.#onHeard();
  }
  onAcknowledged(version: number) {
    this.acknowledged = version;
    this.#onHeard();
  }
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => (this.#onHeard = resolve));
  }
}

const noLogs: LogSource = { async *readLogs() {} };

async function open(
  node: NodeDouble,
  { logs = noLogs, authority = ca, port = controller.port }: { logs?: LogSource; authority?: TestCa; port?: number } = {},
): Promise<Link> {
  const identity = await authority.issue('n1');
  link = startGrpcLink({
    address: `127.0.0.1:${port}`,
    node: nodeName('n1'),
    agentVersion: '1.2.3',
    tls: { ...identity, caPem: ca.pem },
    session: node,
    logs,
    clock: systemClock,
    random: () => 0,
    log: pino({ level: 'warn' }, { write: (line) => onWarning(line) }),
  });
  return link;
}

const welcome = (session: SessionDouble, heartbeatMs = 60_000): void =>
  session.send({ case: 'welcome', value: { epoch: 4n, controllerVersion: '1', heartbeatMs, lostAfterMs: 9000 } });

async function nextReport(session: SessionDouble): Promise<bigint> {
  const request = await session.receive();
  if (request?.message.case !== 'report') throw new Error(`expected a report, got ${request?.message.case}`);
  return request.message.value.sequence;
}

describe('the link', () => {
  it('says who it is by certificate and hello, and reports once it is welcome', async () => {
    await open(new NodeDouble());
    const session = await controller.session();
    expect(session.peerCommonName).toBe('n1');
    const hello = await session.receive();
    expect(hello?.message.value).toMatchObject({
      node: 'n1',
      protocolVersion: 1,
      agentVersion: '1.2.3',
      epochSeen: 3n,
      labels: { pool: 'blue' },
    });
    welcome(session);
    expect(await nextReport(session)).toBe(1n);
  });

  it('hands assignments over whole', async () => {
    const node = new NodeDouble();
    await open(node);
    const session = await controller.session();
    welcome(session);
    const assignment: Assignment = { epoch: epoch(4), generation: generation(1), workers: [assignedWorker('a', { checkpoint: '/c' })] };
    session.send({ case: 'assignment', value: assignmentToWire(assignment) });
    await node.until(() => node.assignments.length > 0);
    expect(node.assignments).toEqual([assignment]);
  });

  it('reports what changed once the last report has its receipt, and tells what is durable', async () => {
    const node = new NodeDouble();
    const changing = await open(node);
    const session = await controller.session();
    await session.receive();
    welcome(session);
    expect(await nextReport(session)).toBe(1n);
    for (node.version = 2; node.version < 9; node.version++) changing.changed();
    session.send({ case: 'ack', value: { sequence: 1n } });
    expect(await nextReport(session)).toBe(2n);
    session.send({ case: 'ack', value: { sequence: 2n } });
    await node.until(() => node.acknowledged === 9);
  });

  it('reports each heartbeat, receipt or not', async () => {
    await open(new NodeDouble());
    const session = await controller.session();
    await session.receive();
    welcome(session, 60);
    expect([await nextReport(session), await nextReport(session)]).toEqual([1n, 2n]);
  });

  it('opens a new session with a new hello when one breaks, and when nothing is heard for three heartbeats', async () => {
    await open(new NodeDouble());
    const first = await controller.session();
    welcome(first);
    first.end();
    const second = await controller.session();
    expect((await second.receive())?.message.case).toBe('hello');
    welcome(second, 50);
    const third = await controller.session();
    expect((await third.receive())?.message.case).toBe('hello');
  });

  it('finds a controller that was restarted at the same address', async () => {
    await open(new NodeDouble());
    welcome(await controller.session());
    controller.close();
    controller = await startControllerDouble(ca, controller.port);
    expect((await (await controller.session()).receive())?.message.case).toBe('hello');
  });

  it('leaves a leader whose epoch is over', async () => {
    const node = new NodeDouble();
    node.obeys = () => 'epoch 4 is over';
    await open(node);
    const first = await controller.session();
    welcome(first);
    await controller.session();
    expect(node.assignments).toEqual([]);
  });

  it('speaks to nobody whose certificate another authority signed', async () => {
    const stranger = await startControllerDouble(await createTestCa());
    let sessions = 0;
    stranger.session().then(
      () => (sessions += 1),
      () => undefined,
    );
    const why = new Promise<string>((resolve) => (onWarning = resolve));
    await open(new NodeDouble(), { port: stranger.port });
    expect(await why).toContain('certificate');
    expect(sessions).toBe(0);
    stranger.close();
  });

  it('sends the logs that are asked for on a stream of their own', async () => {
    const asked: unknown[] = [];
    const logs: LogSource = {
      async *readLogs(query) {
        asked.push(query);
        for (const rank of query.ranks) yield { rank, stream: 'stdout', data: Buffer.from(`line of ${rank}\n`), error: '' };
      },
    };
    await open(new NodeDouble(), { logs });
    const session = await controller.session();
    welcome(session);
    session.send({
      case: 'logs',
      value: { requestId: 'r1', id: { jobUid: 'a', attempt: 1, worker: 0 }, ranks: [0, 1], stream: '', follow: false, tail: 5 },
    });
    const chunks = await controller.logs();
    expect(chunks.map(({ requestId, rank, data }) => [requestId, rank, Buffer.from(data).toString()])).toEqual([
      ['r1', 0, 'line of 0\n'],
      ['r1', 1, 'line of 1\n'],
    ]);
    expect(asked).toEqual([{ id: { job: 'a', attempt: 1, worker: 0 }, ranks: [0, 1], stream: null, follow: false, tail: 5 }]);
  });
});
