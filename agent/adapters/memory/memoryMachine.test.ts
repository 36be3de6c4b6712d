import { describe, expect, test } from 'vitest';
import { EndLog, freshWorker, rankStart } from '#test/conformance/runtime.ts';
import { createMemoryGpus } from './memoryGpus.ts';
import { createMemoryMachine } from './memoryMachine.ts';

describe('the memory machine for tests of others', () => {
  test('an end is told to the agent that holds the rank, never to a dead one', async () => {
    const machine = createMemoryMachine();
    const [first, second] = [machine.open(), machine.open()];
    const [firstEnds, secondEnds] = [new EndLog(first), new EndLog(second)];
    const id = freshWorker();
    await first.startRank(rankStart(id, 0, ['train']));
    first.close();
    await second.findRank(id, 0);
    machine.endRank(id, 0, { exitCode: 1, signal: null });
    expect(await secondEnds.next()).toEqual({ id, rank: 0, exitCode: 1, signal: null });
    expect(firstEnds.all).toEqual([]);
  });

  test('starts and signals are kept in their order', async () => {
    const machine = createMemoryMachine();
    const runtime = machine.open();
    const id = freshWorker();
    for (const rank of [0, 1]) await runtime.startRank(rankStart(id, rank, ['train']));
    await runtime.signalWorker(id, 'SIGTERM');
    expect(machine.starts.map((start) => start.rank)).toEqual([0, 1]);
    expect(machine.signals).toEqual([{ id, signal: 'SIGTERM' }]);
  });
});

describe('memory GPUs', () => {
  test('tell a change of health once', async () => {
    const gpus = createMemoryGpus('n1', 2);
    let told = 0;
    gpus.onHealthChange(() => {
      told += 1;
    });
    gpus.setHealth(1, 'xid:79', 'fallen off the bus');
    gpus.setHealth(1, 'xid:79', 'fallen off the bus');
    expect(told).toBe(1);
    expect((await gpus.health()).map((entry) => entry.code)).toEqual(['', 'xid:79']);
  });
});
