import { afterEach, describe, expect, test } from 'vitest';
import type { RunningLoop } from '#controller/testing/runLoop.ts';
import { runLoop } from '#controller/testing/runLoop.ts';
import { settled } from '#controller/testing/manualClock.ts';
import { FakeAgent } from '#test/simulation/fakeAgent.ts';
import { applyJob, applyQueue } from '#test/simulation/fakeCluster.ts';
import type { Assignment } from '#vocabulary/assignment.ts';
import { jobUid, nodeName } from '#vocabulary/ids.ts';
import { workerKey } from '#vocabulary/job.ts';
import type { Session } from './sessions.ts';
import { Sessions } from './sessions.ts';

const lostAfterMs = 8_000;
const periodMs = 500;

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

interface Bench {
  readonly running: RunningLoop;
  readonly sessions: Sessions;
  /** Everything that was said to agents: `n1: uid-a/1/0` is an assignment of one worker. */
  readonly said: string[];
  connect(name: string): Promise<Session>;
  /** All that the core was told about silence. */
  lost(): Promise<readonly string[]>;
}

async function bench(names: readonly string[] = ['n1', 'n2']): Promise<Bench> {
  const running = await runLoop();
  const watching = new AbortController();
  stops.push(async () => {
    watching.abort();
    await running.stop();
  });
  const { loop, clock } = running;
  const sessions = new Sessions(loop, clock, lostAfterMs);
  sessions.watchSilence(periodMs, watching.signal, (error) => {
    throw error;
  });
  await loop.offer(applyQueue('default'));
  const agents = names.map((name) => new FakeAgent({ name, rack: 'r1', gpus: 1 }));
  for (const agent of agents) await loop.offer({ kind: 'hello', hello: agent.hello() });
  const said: string[] = [];
  const connect = async (name: string): Promise<Session> => {
    const session: Session = {
      node: nodeName(name),
      send: (assignment) => said.push(`${name}: ${print(assignment)}`),
      requestLogs: ({ requestId }) => said.push(`${name} logs ${requestId}`),
      close: (why) => said.push(`${name} closed: ${why}`),
    };
    sessions.register(session);
    await sessions.welcome(session);
    return session;
  };
  const lost = (): Promise<readonly string[]> =>
    loop.read((state) =>
      [...state.nodes.values()].flatMap((node) => (node.availability.kind === 'lost' ? [node.availability.message] : [])),
    );
  return { running, sessions, said, connect, lost };
}

const print = (assignment: Assignment): string => assignment.workers.map((worker) => workerKey(worker.id)).join(' ') || 'nothing';

describe('a session', () => {
  test('is sent the whole desired set at once', async () => {
    const { running, said, connect } = await bench();
    await running.loop.offer(applyJob('a'));
    await connect('n1');
    await connect('n2');
    expect(said).toEqual(['n1: uid-a/1/0', 'n2: nothing']);
  });

  test('hears again only when its own set has moved', async () => {
    const { running, said, connect } = await bench();
    await connect('n1');
    await connect('n2');
    said.length = 0;
    await running.loop.offer(applyJob('a'));
    await running.loop.offer(applyQueue('other'));
    await running.loop.offer({ kind: 'tick' });
    expect(said).toEqual(['n1: uid-a/1/0']);
  });

  test('hears nothing of a gang before its placement is durable, not even when it opens meanwhile', async () => {
    const { running, said, connect } = await bench();
    await connect('n1');
    said.length = 0;
    const release = running.disk.hold();
    const offered = running.loop.offer(applyJob('a', { workers: 2 }));
    await settled();
    const opened = connect('n2');
    await settled();
    expect(said).toEqual([]);
    release();
    await offered;
    await opened;
    expect(said.toSorted()).toEqual(['n1: uid-a/1/0', 'n2: uid-a/1/1']);
  });

  test('is closed when the node opens another one, which is sent everything', async () => {
    const { said, connect, sessions } = await bench();
    const first = await connect('n1');
    await connect('n1');
    expect(said).toEqual(['n1: nothing', 'n1 closed: the node opened another session', 'n1: nothing']);
    sessions.closed(first);
    expect(sessions.isConnected(nodeName('n1'))).toBe(true);
  });

  test('that closed hears nothing more', async () => {
    const { running, said, connect, sessions } = await bench();
    const session = await connect('n1');
    sessions.closed(session);
    said.length = 0;
    await running.loop.offer(applyJob('a'));
    expect(said).toEqual([]);
    expect(sessions.isConnected(nodeName('n1'))).toBe(false);
    expect(sessions.requestLogs(nodeName('n1'), wantedLogs)).toBe(false);
  });

  test('hears of a new leader’s epoch, though nothing of its set moved', async () => {
    const { running, said, connect } = await bench();
    await connect('n1');
    said.length = 0;
    running.disk.failNext('full');
    await running.loop.offer(applyQueue('other')).catch(() => undefined);
    await running.clock.pass(1_000);
    expect(said).toEqual(['n1: nothing']);
  });

  test('is there before it is welcomed, and is sent nothing until then', async () => {
    const { running, said, sessions, connect } = await bench();
    const session = { ...(await connect('n1')) };
    said.length = 0;
    sessions.register(session);
    expect(sessions.isConnected(session.node)).toBe(true);
    await running.loop.offer(applyJob('a'));
    expect(said).toEqual(['n1 closed: the node opened another session']);
    await sessions.welcome(session);
    expect(said.slice(1)).toEqual(['n1: uid-a/1/0']);
  });

  test('that was replaced before its welcome stays unwelcome', async () => {
    const { said, sessions, connect } = await bench();
    const first = await connect('n1');
    sessions.register({ ...first });
    said.length = 0;
    await sessions.welcome(first);
    expect(said).toEqual([]);
  });

  test('is asked for logs', async () => {
    const { said, connect, sessions } = await bench();
    await connect('n1');
    said.length = 0;
    expect(sessions.requestLogs(nodeName('n1'), wantedLogs)).toBe(true);
    expect(said).toEqual(['n1 logs r']);
  });
});

const wantedLogs = {
  requestId: 'r',
  id: { job: jobUid('uid-a'), attempt: 1, worker: 0 },
  ranks: [0],
  stream: '',
  follow: false,
  tail: null,
};

describe('readings of devices', () => {
  const samples = [{ index: 0, utilizationPercent: 93, memoryUsedBytes: 1, powerMilliwatts: 1, temperatureCelsius: 50 }];

  test('are those of the last report that had any', async () => {
    const { connect, sessions } = await bench();
    await connect('n1');
    sessions.noteSamples(nodeName('n1'), samples);
    sessions.noteSamples(nodeName('n1'), []);
    expect(sessions.samplesOf(nodeName('n1'))).toEqual(samples);
    expect(sessions.samplesOf(nodeName('n2'))).toEqual([]);
  });

  test('go with the session', async () => {
    const { connect, sessions } = await bench();
    const session = await connect('n1');
    sessions.noteSamples(nodeName('n1'), samples);
    sessions.closed(session);
    expect(sessions.samplesOf(nodeName('n1'))).toEqual([]);
  });
});

describe('silence', () => {
  test('for long enough makes a node lost, once, and closes its session', async () => {
    const { running, said, connect, sessions, lost } = await bench(['n1']);
    await connect('n1');
    said.length = 0;
    await running.clock.pass(lostAfterMs - periodMs);
    expect(await lost()).toEqual([]);
    await running.clock.pass(periodMs);
    expect(await lost()).toEqual(['node n1 silent for 8.0 s']);
    expect(said).toEqual(['n1 closed: silent for 8000 ms']);
    expect(sessions.isConnected(nodeName('n1'))).toBe(false);
    const revision = running.loop.revision;
    await running.clock.pass(60_000);
    expect(running.loop.revision).toBe(revision);
  });

  test('is asked about once while the answer is not durable', async () => {
    const { running, connect, lost } = await bench(['n1']);
    await connect('n1');
    const release = running.disk.hold();
    await running.clock.pass(lostAfterMs + 10 * periodMs);
    release();
    await settled();
    expect(await lost()).toEqual(['node n1 silent for 8.0 s']);
    expect((await running.loop.read((state) => state.recent.filter((event) => event.reason === 'NodeLost'))).length).toBe(1);
  });

  test('begins with the last word', async () => {
    const { running, connect, sessions, lost } = await bench(['n1']);
    await connect('n1');
    for (let second = 0; second < 30; second += 1) {
      await running.clock.pass(1_000);
      sessions.heard(nodeName('n1'));
    }
    expect(await lost()).toEqual([]);
    expect(sessions.silentMs(nodeName('n1'))).toBe(0);
    await running.clock.pass(3_000);
    expect(sessions.silentMs(nodeName('n1'))).toBe(3_000);
  });

  test('of a node that was never heard counts from the controller’s own start', async () => {
    const { running, sessions, lost } = await bench(['n1']);
    expect(sessions.hasBeenHeard(nodeName('n1'))).toBe(false);
    await running.clock.pass(lostAfterMs);
    expect(await lost()).toEqual(['node n1 silent for 8.0 s']);
  });

  test('of this process itself is nobody’s: after a pause nodes have the whole time again', async () => {
    const { running, connect, lost } = await bench();
    await connect('n1');
    await connect('n2');
    await running.clock.pass(2_000);
    running.clock.jump(60_000);
    await running.clock.pass(periodMs);
    expect(await lost()).toEqual([]);
    await running.clock.pass(lostAfterMs - 2 * periodMs);
    expect(await lost()).toEqual([]);
    await running.clock.pass(periodMs);
    expect((await lost()).length).toBe(2);
  });

  test('is not looked for any more after the end', async () => {
    const { running } = await bench(['n1']);
    expect(running.clock.timers).toBe(1);
    await stops.shift()?.();
    expect(running.clock.timers).toBe(0);
  });
});
