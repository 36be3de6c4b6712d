import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSimulatedGpus, type SimulatedGpus } from './simulatedGpus.ts';

let folder: string;
let socket: string;
let open: SimulatedGpus[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shoal-gpus-'));
  socket = join(folder, 'gpus.sock');
  open = [];
});
afterEach(async () => {
  for (const gpus of open) await gpus.close();
  await rm(folder, { recursive: true, force: true });
});

async function create(options: Partial<Parameters<typeof createSimulatedGpus>[0]> = {}): Promise<SimulatedGpus> {
  const gpus = await createSimulatedGpus({ node: 'n1', count: 2, controlSocket: socket, ...options });
  open.push(gpus);
  return gpus;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

async function call(method: string, path: string, body = ''): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const sent = request({ socketPath: socket, method, path, agent: false }, (response) => {
    text(response).then((answer) => resolve({ status: response.statusCode ?? 0, body: answer }), reject);
  });
  sent.once('error', reject);
  sent.end(body);
  return await promise;
}

const inject = (body: unknown): Promise<Answer> => call('POST', '/v1/faults', JSON.stringify(body));

describe('the topology of simulated GPUs', () => {
  test('two H100 are an NVLink pair on one NUMA node, with names that look real', async () => {
    const [first, second] = await (await create()).inventory();
    expect(first).toMatchObject({
      index: 0,
      model: 'H100',
      memoryBytes: 81_559 * 2 ** 20,
      pciBusId: '00000000:1B:00.0',
      numaNode: 0,
      nvlinkDomain: 0,
    });
    expect(second).toMatchObject({ index: 1, pciBusId: '00000000:43:00.0', numaNode: 0, nvlinkDomain: 0 });
    expect(first?.uuid).toMatch(/^GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });

  test('eight share one NVSwitch domain, and lie in pairs on NUMA nodes', async () => {
    const inventory = await (await create({ count: 8 })).inventory();
    expect(inventory.map((gpu) => gpu.nvlinkDomain)).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect(inventory.map((gpu) => gpu.numaNode)).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
    expect(new Set(inventory.map((gpu) => gpu.pciBusId)).size).toBe(8);
  });

  test('bridged pairs leave an odd last device on PCIe, and a single device has no NVLink', async () => {
    const three = await (await create({ count: 3, nvlink: 'pairs' })).inventory();
    expect(three.map((gpu) => gpu.nvlinkDomain)).toEqual([0, 0, null]);
    const one = await (await create({ count: 1, controlSocket: null })).inventory();
    expect(one.map((gpu) => gpu.nvlinkDomain)).toEqual([null]);
  });

  test('a node keeps its uuids over a restart, and no two nodes share one', async () => {
    const uuids = async (node: string): Promise<readonly string[]> =>
      (await (await create({ node, controlSocket: null })).inventory()).map((gpu) => gpu.uuid);
    expect(await uuids('n1')).toEqual(await uuids('n1'));
    expect(new Set([...(await uuids('n1')), ...(await uuids('n2'))]).size).toBe(4);
  });

  test('an unknown model and an impossible count are refused with what is known', async () => {
    await expect(create({ model: 'H1000' })).rejects.toThrow('GPU model "H1000" cannot be simulated; known are A100, H100, H200, H800');
    await expect(create({ count: 17 })).rejects.toThrow('0 to 16');
  });
});

describe('readings of simulated GPUs', () => {
  test('follow whether a device is in use', async () => {
    const gpus = await create();
    gpus.setBusy([1]);
    const [idle, busy] = await gpus.sample();
    expect(idle).toMatchObject({ utilizationPercent: 0, memoryUsedBytes: 0 });
    expect(busy?.utilizationPercent).toBeGreaterThan(90);
    expect(busy?.powerMilliwatts).toBeGreaterThan(5 * (idle?.powerMilliwatts ?? 0));
    expect(busy?.powerMilliwatts).toBeLessThanOrEqual(700_000);
    gpus.setBusy([]);
    expect((await gpus.sample())[1]?.utilizationPercent).toBe(0);
  });

  test('a device that fell off the bus has none, one with a memory error still has', async () => {
    const gpus = await create();
    gpus.setBusy([0, 1]);
    await inject({ gpu: 0, fault: 'xid', code: 79 });
    await inject({ gpu: 1, fault: 'xid', code: 48 });
    const [lost, sick] = await gpus.sample();
    expect(lost).toEqual({ index: 0, utilizationPercent: 0, memoryUsedBytes: 0, powerMilliwatts: 0, temperatureCelsius: 0 });
    expect(sick?.powerMilliwatts).toBeGreaterThan(0);
  });
});

describe('the control socket', () => {
  test('an Xid makes the device unhealthy and is told once; healing undoes it', async () => {
    const gpus = await create();
    let told = 0;
    gpus.onHealthChange(() => {
      told += 1;
    });
    await inject({ gpu: 1, fault: 'xid', code: 79 });
    await inject({ gpu: 1, fault: 'xid', code: 79 });
    expect(told).toBe(1);
    expect(await gpus.health()).toEqual([
      { index: 0, healthy: true, code: '', message: '' },
      { index: 1, healthy: false, code: 'xid:79', message: 'Xid 79: GPU has fallen off the bus' },
    ]);
    const answer = await inject({ gpu: 1, heal: true });
    expect(answer.status).toBe(200);
    expect((await gpus.health()).every((entry) => entry.healthy)).toBe(true);
    expect(told).toBe(2);
  });

  test('a lost device is told as lost, and the state shows it', async () => {
    const gpus = await create();
    await inject({ gpu: 0, fault: 'gpu-lost' });
    expect((await gpus.health())[0]).toMatchObject({ healthy: false, code: 'gpu-lost' });
    const state: unknown = JSON.parse((await call('GET', '/v1/gpus')).body);
    expect(state).toMatchObject({
      gpus: [
        { index: 0, healthy: false, code: 'gpu-lost', busy: false },
        { index: 1, healthy: true, code: '' },
      ],
    });
  });

  test.each([
    [{ gpu: 2, fault: 'gpu-lost' }, 'gpu must be the index of a device, 0 to 1, not 2'],
    [{ fault: 'gpu-lost' }, 'gpu must be the index of a device, 0 to 1, not missing'],
    [{ gpu: 0, fault: 'fire' }, 'fault must be \\"xid\\" or \\"gpu-lost\\", not \\"fire\\"'],
    [{ gpu: 0 }, 'fault must be \\"xid\\" or \\"gpu-lost\\", not missing'],
    [{ gpu: 0, fault: 'xid' }, 'code must be the number of an Xid'],
    [{ gpu: 0, fault: 'xid', code: 31 }, 'Xid 31 is raised by programs'],
    [{ gpu: 0, fault: 'gpu-lost', code: 79 }, 'code belongs to fault'],
    [{ gpu: 0, heal: false }, 'heal must be true'],
    [{ gpu: 0, heal: true, fault: 'gpu-lost' }, 'heal and fault exclude each other'],
    [{ gpu: 0, falt: 'xid' }, 'field \\"falt\\" is not known'],
    [[], 'the body must be a JSON object'],
  ])('refuses %j with one clear error', async (body, wantError) => {
    const gpus = await create();
    const answer = await inject(body);
    expect(answer.status).toBe(400);
    expect(answer.body).toContain(wantError);
    expect((await gpus.health()).every((entry) => entry.healthy)).toBe(true);
  });

  test('refuses what is no JSON, too large, or elsewhere', async () => {
    await create();
    expect(await call('POST', '/v1/faults', '{')).toEqual({ status: 400, body: '{"error":"the body is not JSON"}\n' });
    expect((await call('POST', '/v1/faults', ' '.repeat(100_000))).status).toBe(413);
    expect((await call('GET', '/v1/faults')).status).toBe(405);
    expect((await call('GET', '/')).status).toBe(404);
  });

  test("is its owner's alone, and is gone after the end", async () => {
    const gpus = await create();
    expect((await stat(socket)).mode & 0o777).toBe(0o600);
    await gpus.close();
    await expect(stat(socket)).rejects.toThrow('ENOENT');
  });

  test('a socket that a killed agent left is replaced', async () => {
    const listen = 'require("node:net").createServer().listen(process.argv[1], () => console.log("listening"))';
    const agent = spawn(process.execPath, ['-e', listen, socket], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(agent.stdout, 'data');
    const ended = once(agent, 'exit');
    agent.kill('SIGKILL');
    await ended;
    expect((await stat(socket)).isSocket()).toBe(true);
    await create();
    expect((await inject({ gpu: 0, heal: true })).status).toBe(200);
  });

  test('a socket in use and a plain file are not replaced', async () => {
    await create();
    await expect(create()).rejects.toThrow('EADDRINUSE');
    expect((await inject({ gpu: 0, heal: true })).status).toBe(200);
    await writeFile(join(folder, 'plain'), '');
    await expect(create({ controlSocket: join(folder, 'plain') })).rejects.toThrow('EADDRINUSE');
  });

  test('a path that no socket can have is refused with its length', async () => {
    await expect(create({ controlSocket: join(folder, 'x'.repeat(120)) })).rejects.toThrow(/longer than the \d+ bytes/);
  });
});
