import { createMemoryMachine, type MemoryRuntime } from '#agent/adapters/memory/memoryMachine.ts';
import { describeRuntime } from './runtime.ts';

describeRuntime('the memory machine', () => {
  const machine = createMemoryMachine({
    judgeStart: (start) => (start.launch.command[0] === 'missing' ? 'command "missing" does not exist' : null),
    ignoresTerm: (start) => start.launch.command[0] === 'stubborn',
  });
  const opened: MemoryRuntime[] = [];
  return Promise.resolve({
    open: () => {
      const runtime = machine.open();
      opened.push(runtime);
      return Promise.resolve(runtime);
    },
    crash: () => {
      opened.at(-1)?.close();
      return Promise.resolve();
    },
    command: (kind) => [kind],
    finish: (start, exitCode) => Promise.resolve(machine.endRank(start.id, start.rank, { exitCode, signal: null })),
    settled: () => Promise.resolve(),
    dispose: () => Promise.resolve(),
  });
});
