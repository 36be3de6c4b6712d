import { afterEach, describe, expect, it } from 'vitest';
import type { ObservedWorker } from '#vocabulary/observed.ts';
import { callApi } from '../testing/callApi.ts';
import { assignedWorker, openNodeGround, type NodeGround } from '../testing/nodeGround.ts';

let ground: NodeGround | null = null;
afterEach(async () => {
  await ground?.remove();
  ground = null;
});
async function open(options: Parameters<typeof openNodeGround>[0] = {}): Promise<NodeGround> {
  ground = await openNodeGround(options);
  return ground;
}

const a = assignedWorker('a');
const isIn = (kind: string) => (workers: readonly ObservedWorker[]) => workers.some(({ state }) => state.kind === kind);
const running = isIn('running');
const ended = isIn('ended');

describe('a node', () => {
  it('starts what is assigned, tells its end, and forgets it when it is named no more', async () => {
    const { machine, restart } = await open();
    const node = await restart();
    node.assign(1, [a]);
    await node.until(running);
    expect(machine.starts.map(({ env }) => [env['RANK'], env['CUDA_VISIBLE_DEVICES']])).toEqual([['0', 'GPU-n1-0']]);
    machine.endRank(a.id, 0, { exitCode: 0, signal: null });
    await node.until(ended);
    expect(node.observed()[0]?.state).toEqual({ kind: 'ended', reason: 'exited', message: '' });
    node.assign(2, []);
    await node.until((workers) => workers.length === 0);
  });

  it('starts a worker on its slot alone, others beside it, and tells of a slot that it does not have', async () => {
    const { machine, restart } = await open({ slots: ['3g.40gb', '3g.40gb'] });
    const node = await restart();
    const slot = (name: string, uuid: string) => assignedWorker(name, { gpus: [1], gpuSlot: { profile: '3g.40gb', uuid } });
    node.assign(1, [slot('a', 'MIG-n1-1-0'), slot('b', 'MIG-n1-1-1'), slot('c', 'MIG-n1-0-0')]);
    await node.until((workers) => workers.filter(({ state }) => state.kind === 'running').length === 2);
    expect(machine.starts.map(({ env }) => env['CUDA_VISIBLE_DEVICES']).sort()).toEqual(['MIG-n1-1-0', 'MIG-n1-1-1']);
    node.assign(2, [slot('c', 'MIG-n1-0-0')]);
    for (const name of ['a', 'b']) machine.endRank(assignedWorker(name).id, 0, { exitCode: 0, signal: null });
    await node.until(ended);
    await node.until((workers) => workers.some(({ id, state }) => id.job === 'c' && state.kind === 'ended'));
    expect(node.observed().find(({ id }) => id.job === 'c')?.state).toMatchObject({
      reason: 'launch-failed',
      message: expect.stringContaining('this node has no slot MIG-n1-0-0 of GPU 1'),
    });
  });

  it('adopts ranks that outlived its last agent, without a signal and without a start', async () => {
    const { machine, restart } = await open();
    const first = await restart();
    first.assign(1, [a]);
    await first.until(running);
    const second = await restart();
    expect(second.observed().map(({ state }) => state.kind)).toEqual(['running']);
    second.assign(1, [a]);
    machine.endRank(a.id, 0, { exitCode: 4, signal: null });
    await second.until(ended);
    expect(second.observed()[0]?.state).toMatchObject({ reason: 'exited', message: 'rank 0 exited with status 4' });
    expect([machine.starts.length, machine.signals.length]).toEqual([1, 0]);
  });

  it('tells the status of a rank that ended while there was no agent', async () => {
    const { machine, restart } = await open();
    const first = await restart();
    first.assign(1, [a]);
    await first.until(running);
    const stopped = first.stop();
    machine.endRank(a.id, 0, { exitCode: null, signal: 'SIGKILL' });
    await stopped;
    const second = await restart();
    await second.until(ended);
    expect(second.observed()[0]?.state).toMatchObject({ reason: 'exited', message: 'rank 0 was ended by SIGKILL' });
  });

  it('tells workers of another boot of the machine as vanished', async () => {
    const { restart } = await open();
    const first = await restart();
    first.assign(1, [a]);
    await first.until(running);
    const second = await restart({ bootId: 'later' });
    await second.until(ended);
    expect(second.observed()[0]?.state).toMatchObject({ reason: 'vanished' });
  });

  it('obeys the highest epoch over its own restart', async () => {
    const { machine, restart } = await open();
    const first = await restart();
    first.assign(1, [a], 5);
    await first.until(running);
    const second = await restart();
    second.assign(9, [], 4);
    second.assign(1, [a, assignedWorker('b', { gpus: [1] })], 5);
    await second.until((workers) => workers.length === 2 && workers.every(({ state }) => state.kind === 'running'));
    expect(machine.signals).toEqual([]);
    expect(second.session.hello().epochSeen).toBe(5);
  });

  it('goes on with a grace that began before its restart', async () => {
    const { machine, restart, clock } = await open({ ignoresTerm: () => true });
    const first = await restart();
    first.assign(1, [a]);
    await first.until(running);
    first.assign(2, [{ ...a, desire: { kind: 'stop', graceMs: 10_000, reason: 'x' } }]);
    await first.until(isIn('stopping'));
    const second = await restart();
    clock.advance(10_000);
    await second.until(ended);
    expect(machine.signals.map(({ signal }) => signal)).toEqual(['SIGTERM', 'SIGKILL']);
    expect(second.observed()[0]?.state).toMatchObject({ reason: 'killed' });
  });

  it('starts nothing while its journal cannot be written, still ends what shall end, and recovers', async () => {
    const { machine, restart, clock } = await open();
    let full = false;
    const node = await restart({
      journal: (journal) => ({
        read: () => journal.read(),
        append: (entries) => (full ? Promise.reject(new Error('ENOSPC: no space left')) : journal.append(entries)),
        rewrite: (entries) => journal.rewrite(entries),
        sizeBytes: () => journal.sizeBytes(),
        close: () => journal.close(),
      }),
    });
    node.assign(1, [a]);
    await node.until(running);
    full = true;
    const killed = new Promise<void>((resolve) => {
      const timer = setInterval(() => machine.signals.length > 0 && (clearInterval(timer), resolve()), 1);
    });
    node.assign(2, [assignedWorker('b', { gpus: [1] })]);
    await killed;
    expect(machine.starts.length).toBe(1);
    full = false;
    clock.advance(1000);
    await node.until((workers) => workers.some(({ id, state }) => id.job === 'b' && state.kind === 'running'));
  });

  it('does not launch with a checkpoint folder that cannot be written, and names it', async () => {
    const { machine, restart } = await open();
    const node = await restart();
    node.assign(1, [assignedWorker('c', { checkpoint: '/readonly/c' })]);
    await node.until(ended);
    expect(node.observed()[0]?.state).toMatchObject({
      reason: 'launch-failed',
      message: 'rank 0: /readonly/c/attempt-1 cannot be written',
    });
    expect(machine.starts).toEqual([]);
  });

  it('reports a GPU that fails', async () => {
    const { gpus, restart } = await open();
    const node = await restart();
    const changed = new Promise<void>((resolve) => node.onReportable(() => resolve()));
    gpus.setHealth(1, 'xid:79', 'fell off the bus');
    await changed;
    expect(node.session.report().gpuHealth[1]).toMatchObject({ healthy: false, code: 'xid:79' });
  });
});

describe('the workload API', () => {
  it('tells a checkpoint as committed once the report that holds it is durable', async () => {
    const { restart } = await open();
    const node = await restart();
    node.assign(1, [a]);
    await node.until(running);
    const socketPath = node.sockets.pathOf(a.id);
    const answer = callApi({ socketPath, path: '/v1/checkpoint', body: { step: 10, path: 'ck/10', seconds: 1.2341 } });
    await node.until((workers) => workers[0]?.ranks[0]?.checkpoint?.step === 10);
    node.acknowledge();
    expect(await answer).toEqual({ status: 200, json: { accepted: true, committed: true } });
    expect(node.observed()[0]?.ranks[0]?.checkpoint).toEqual({ step: 10, path: '/work-folder/ck/10', scope: 'rank', tookMs: 1_234 });
    const restarted = await restart();
    expect(restarted.observed()[0]?.ranks[0]?.checkpoint?.step).toBe(10);
  });

  it('tells a checkpoint as not committed when no receipt comes within 5 s', async () => {
    const { restart, clock } = await open();
    const node = await restart();
    node.assign(1, [a]);
    await node.until(running);
    const answer = callApi({ socketPath: node.sockets.pathOf(a.id), path: '/v1/checkpoint', body: { step: 10, path: '/x', scope: 'job' } });
    await node.until((workers) => workers[0]?.ranks[0]?.checkpoint?.step === 10);
    clock.advance(5000);
    expect(await answer).toEqual({ status: 200, json: { accepted: true, committed: false } });
  });

  it('holds a rank at the proposed step until it is decided, and stops every rank there', async () => {
    const { restart } = await open();
    const two = assignedWorker('a', { gpus: [0, 1], processes: 2 });
    const suspended = (round: number, stage: 'ask' | 'propose' | 'decided', stopStep = 0) =>
      ({
        ...two,
        desire: { kind: 'suspend', round, graceMs: 30_000, stage: stage === 'ask' ? { kind: stage } : { kind: stage, stopStep } },
      }) as const;
    const node = await restart();
    node.assign(1, [two]);
    await node.until(running);
    const socketPath = node.sockets.pathOf(two.id);
    const post = async (rank: number, step: number) => (await callApi({ socketPath, path: '/v1/progress', rank, body: { step } })).json;
    expect([await post(0, 5), await post(1, 6)]).toEqual([{ stop: false }, { stop: false }]);
    node.assign(2, [suspended(1, 'ask')]);
    await node.until((workers) => workers[0]?.ranks.every(({ suspendAnswer }) => suspendAnswer?.round === 1) ?? false);
    node.assign(3, [suspended(2, 'propose', 8)]);
    await node.until(
      (workers) => workers[0]?.ranks.every(({ suspendAnswer }) => suspendAnswer?.round === 2 && suspendAnswer.accepted) ?? false,
    );
    expect(await post(0, 7)).toEqual({ stop: false });
    const held = post(0, 8);
    await node.until((workers) => workers[0]?.ranks[0]?.progress?.step === 8);
    node.assign(4, [suspended(3, 'decided', 8)]);
    expect(await held).toEqual({ stop: true, stop_step: 8 });
    expect([await post(1, 7), await post(1, 8)]).toEqual([{ stop: false }, { stop: true, stop_step: 8 }]);
  });

  it('keeps a promise over its restart', async () => {
    const { restart } = await open();
    const propose = { ...a, desire: { kind: 'suspend', round: 1, graceMs: 30_000, stage: { kind: 'propose', stopStep: 8 } } } as const;
    const first = await restart();
    first.assign(1, [a]);
    await first.until(running);
    const socketPath = first.sockets.pathOf(a.id);
    await callApi({ socketPath, path: '/v1/progress', body: { step: 5 } });
    first.assign(2, [propose]);
    await first.until((workers) => workers[0]?.ranks[0]?.suspendAnswer?.accepted ?? false);
    const second = await restart();
    expect(second.observed()[0]?.ranks[0]?.suspendAnswer).toEqual({ round: 1, accepted: true });
    const held = callApi({ socketPath, path: '/v1/progress', body: { step: 8 } });
    await second.until((workers) => workers[0]?.ranks[0]?.progress?.step === 8);
    second.assign(3, [{ ...a, desire: { ...propose.desire, stage: { kind: 'decided', stopStep: 8 } } }]);
    expect((await held).json).toEqual({ stop: true, stop_step: 8 });
  });

  it('answers a long poll when the suspension comes, and again when its round changes', async () => {
    const { restart } = await open();
    const node = await restart();
    node.assign(1, [a]);
    await node.until(running);
    const socketPath = node.sockets.pathOf(a.id);
    expect((await callApi({ socketPath, path: '/v1/suspend' })).json).toMatchObject({ requested: false, round: 0 });
    const poll = callApi({ socketPath, path: '/v1/suspend?wait_s=30' });
    await node.until((workers) => workers[0]?.ranks[0]?.suspendAware ?? false);
    const why = { reason: 'Resized', workers: 6 };
    node.assign(2, [{ ...a, desire: { kind: 'suspend', round: 1, graceMs: 20_000, stage: { kind: 'ask' }, why } }]);
    expect((await poll).json).toEqual({
      requested: true,
      round: 1,
      grace_ms: 20_000,
      deadline_in_s: 20,
      stop_step: null,
      decided: false,
      reason: 'resize',
      workers: 6,
    });
    const next = callApi({ socketPath, path: '/v1/suspend?wait_s=30&round=1' });
    node.assign(3, [{ ...a, desire: { kind: 'suspend', round: 2, graceMs: 20_000, stage: { kind: 'decided', stopStep: 4 } } }]);
    expect((await next).json).toMatchObject({ round: 2, stop_step: 4, decided: true, reason: null, workers: null });
  });

  it('tells a rank who it is', async () => {
    const { restart } = await open();
    const node = await restart();
    const two = assignedWorker('a', { gpus: [0, 1], processes: 2, checkpoint: 'ck' });
    node.assign(1, [two]);
    await node.until(running);
    const answer = await callApi({ socketPath: node.sockets.pathOf(two.id), path: '/v1/self?rank=1' });
    expect(answer.json).toMatchObject({
      rank: 1,
      local_rank: 1,
      coordinates: { data: 1 },
      peers: { data: [0, 1] },
      checkpoint_dir: '/work-folder/ck/attempt-1',
    });
  });

  it.each([
    ['/v1/progress', '{', 400, '', /not JSON/],
    ['/v1/progress', '[]', 400, '', /a list/],
    ['/v1/progress', '{}', 400, 'step', /nothing is no whole number/],
    ['/v1/progress', '{"step":-1}', 400, 'step', /-1/],
    ['/v1/progress', '{"step":1.5}', 400, 'step', /1.5/],
    ['/v1/progress', '{"step":1,"loss":"x"}', 400, 'loss', /"x"/],
    ['/v1/progress', '{"step":1,"tokens":-3}', 400, 'tokens', /-3/],
    ['/v1/progress', '{"step":1,"lss":2}', 400, 'lss', /unknown field; known are step, loss/],
    ['/v1/progress', '{"step":2}', 400, 'step', /goes back/],
    ['/v1/checkpoint', '{"step":1}', 400, 'path', /nothing/],
    ['/v1/checkpoint', '{"step":1,"path":"x","scope":"all"}', 400, 'scope', /"all"/],
    ['/v1/checkpoint', '{"step":1,"path":"x","seconds":-1}', 400, 'seconds', /-1/],
    ['/v1/progress', `{"step":1,"x":"${'y'.repeat(70_000)}"}`, 413, '', /longer than 65536/],
    ['/v1/nothing', '{}', 404, '', /does not exist/],
    ['/v1/self', '{}', 405, '', /takes GET/],
  ])('refuses POST %s %.40s by naming the field, and changes nothing', async (path, body, status, field, message) => {
    const { restart } = await open();
    const node = await restart();
    node.assign(1, [a]);
    await node.until(running);
    const socketPath = node.sockets.pathOf(a.id);
    await callApi({ socketPath, path: '/v1/progress', body: { step: 3 } });
    await node.until((workers) => workers[0]?.ranks[0]?.progress?.step === 3);
    const before = node.observed();
    expect(await callApi({ socketPath, path, body })).toEqual({
      status,
      json: { error: { field, message: expect.stringMatching(message) } },
    });
    expect(node.observed()).toEqual(before);
  });

  it('refuses a rank that is not the worker’s, and a missing one when there are several', async () => {
    const { restart } = await open();
    const node = await restart();
    const two = assignedWorker('a', { gpus: [0, 1], processes: 2 });
    node.assign(1, [two]);
    await node.until(running);
    const socketPath = node.sockets.pathOf(two.id);
    for (const rank of [undefined, 2, '0x', '']) {
      expect(await callApi({ socketPath, path: '/v1/self', ...(rank === undefined ? {} : { rank }) })).toMatchObject({
        status: 400,
        json: { error: { field: 'X-Shoal-Rank' } },
      });
    }
  });
});
