import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { helloToWire, reportToWire } from '#codec/agentSession.ts';
import { failureOf } from '#controller/testing/failureOf.ts';
import type { RunningApi } from '#controller/testing/runApi.ts';
import { callContext, runApi } from '#controller/testing/runApi.ts';
import { settled } from '#controller/testing/manualClock.ts';
import type { SessionRequest, SessionResponse } from '#gen/shoal/v1/agent_pb.js';
import { SessionRequestSchema, SessionResponseSchema } from '#gen/shoal/v1/agent_pb.js';
import { FakeAgent } from '#test/simulation/fakeAgent.ts';
import { applyJob } from '#test/simulation/fakeCluster.ts';
import { epoch } from '#vocabulary/ids.ts';
import type { Hello } from '#vocabulary/session.ts';
import { Channel } from './channel.ts';

let api: RunningApi;
beforeEach(async () => {
  api = await runApi();
});
afterEach(() => api.stop());

/** An agent at its end of a session: what it says, and what it was told. */
class Caller {
  readonly agent = new FakeAgent({ name: 'n1', rack: 'r1', gpus: 1 });
  readonly told: SessionResponse[] = [];
  readonly #said = new Channel<SessionRequest>(1_000);
  readonly ended: Promise<string>;

  constructor(certificate: string | null = 'n1') {
    const context = callContext(certificate === null ? {} : { node: certificate });
    this.ended = (async () => {
      for await (const response of api.agents.session(this.#said.read(new AbortController().signal), context))
        this.told.push(create(SessionResponseSchema, response));
      return 'ended';
    })().catch((error: unknown) => failureOf(error));
  }

  async say(request: SessionRequest): Promise<void> {
    this.#said.offer(request, () => new Error('too many'));
    await settled();
  }

  hello(changes: Partial<Hello> = {}): Promise<void> {
    return this.say(
      create(SessionRequestSchema, { message: { case: 'hello', value: helloToWire({ ...this.agent.hello(), ...changes }) } }),
    );
  }

  report(): Promise<void> {
    return this.say(create(SessionRequestSchema, { message: { case: 'report', value: reportToWire(this.agent.report()) } }));
  }

  async hangUp(): Promise<string> {
    this.#said.close();
    return this.ended;
  }

  cases(): readonly string[] {
    return this.told.splice(0).map(({ message }) => {
      if (message.case === 'assignment') return `assignment of ${message.value.workers.length}`;
      return message.case === 'ack' ? `ack ${message.value.sequence}` : String(message.case);
    });
  }
}

describe('a session', () => {
  test('is welcomed, then sent its whole set, then each report is acknowledged', async () => {
    const caller = new Caller();
    await caller.hello();
    expect(caller.told[0]?.message).toMatchObject({
      case: 'welcome',
      value: { epoch: 1n, controllerVersion: 'test', heartbeatMs: 2_000, lostAfterMs: 8_000 },
    });
    expect(caller.cases()).toEqual(['welcome', 'assignment of 0']);
    await caller.report();
    await caller.report();
    expect(caller.cases()).toEqual(['ack 1', 'ack 2']);
    expect(await caller.hangUp()).toBe('ended');
    expect(api.sessions.isConnected(caller.agent.name)).toBe(false);
  });

  test('hears of a gang that is placed on its node', async () => {
    const caller = new Caller();
    await caller.hello();
    caller.cases();
    await api.loop.offer(applyJob('a'));
    await settled();
    expect(caller.cases()).toEqual(['assignment of 1']);
    await caller.hangUp();
  });

  test('offers a report to the loop only when something in it is new', async () => {
    const caller = new Caller();
    await caller.hello();
    await caller.report();
    let offers = 0;
    const offer = api.loop.offer.bind(api.loop);
    api.loop.offer = (input) => {
      offers += 1;
      return offer(input);
    };
    for (let beat = 0; beat < 5; beat += 1) await caller.report();
    expect([offers, caller.cases().filter((line) => line.startsWith('ack')).length]).toEqual([0, 6]);
    caller.agent.setHealth(0, false);
    await caller.report();
    expect(offers).toBe(1);
    await caller.hangUp();
  });

  test('acknowledges a report when what followed from it is durable, not before', async () => {
    const caller = new Caller();
    await caller.hello();
    await caller.report();
    caller.cases();
    const release = api.disk.hold();
    caller.agent.setHealth(0, false);
    await caller.report();
    expect(caller.cases()).toEqual([]);
    release();
    await settled();
    expect(caller.cases()).toEqual(['ack 2']);
    await caller.hangUp();
  });

  test('is ended by a second one of the same node', async () => {
    const [first, second] = [new Caller(), new Caller()];
    await first.hello();
    await second.hello();
    expect(await first.ended).toBe('ABORTED: the node opened another session');
    expect(second.cases()).toEqual(['welcome', 'assignment of 0']);
    expect(api.sessions.isConnected(second.agent.name)).toBe(true);
    await second.hangUp();
  });

  test('ends when the store cannot take its report, so that the agent says all again', async () => {
    const caller = new Caller();
    await caller.hello();
    await caller.report();
    api.disk.failNext('full');
    caller.agent.setHealth(0, false);
    await caller.report();
    expect(await caller.ended).toBe('UNAVAILABLE: the store cannot be written: the memory store was told to be full');
  });
});

describe('a session is refused', () => {
  test('without a certificate', async () => {
    const caller = new Caller(null);
    await caller.hello();
    expect(await caller.ended).toBe('UNAUTHENTICATED: an agent shows a certificate of the cluster; run `shoal agent join`');
  });

  test('to a node that speaks for another', async () => {
    const caller = new Caller('n2');
    await caller.hello();
    expect(await caller.ended).toBe('PERMISSION_DENIED: node: the hello names "n1", the certificate is for "n2"');
    expect(await api.loop.read((state) => state.nodes.size)).toBe(0);
  });

  test('to another version of the protocol, and both are named', async () => {
    const caller = new Caller();
    await caller.hello({ protocolVersion: 7 });
    expect(await caller.ended).toBe(
      "FAILED_PRECONDITION: agent fake of node n1 speaks protocol 7; this controller (test) speaks 1: install an agent of the controller's version",
    );
  });

  test('that does not begin with hello, or goes on with another one', async () => {
    const first = new Caller();
    await first.report();
    expect(await first.ended).toBe('INVALID_ARGUMENT: message: a session begins with hello');
    const second = new Caller();
    await second.hello();
    await second.hello();
    expect(await second.ended).toBe('INVALID_ARGUMENT: message: after hello come reports');
    const third = new Caller();
    await third.say(create(SessionRequestSchema, {}));
    expect(await third.ended).toBe('INVALID_ARGUMENT: message: a session begins with hello');
  });

  test('when the core refuses the hello, with its words; the node is not connected then', async () => {
    const caller = new Caller();
    await caller.hello({ epochSeen: epoch(9) });
    expect(await caller.ended).toBe(
      'FAILED_PRECONDITION: the node has obeyed epoch 9, this controller is at 1: its store is older than what agents have seen (restored from a backup?)',
    );
    expect(api.sessions.isConnected(caller.agent.name)).toBe(false);
  });
});

test('logs are taken from a node with a certificate only', async () => {
  const nothing = async function* (): AsyncGenerator<never> {};
  await expect(api.agents.sendLogs(nothing(), callContext({}))).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  expect(await api.agents.sendLogs(nothing(), callContext({ node: 'n1' }))).toEqual({});
});
