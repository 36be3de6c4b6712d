import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { endHard, processesWithPath } from './processes.ts';

test('a process is found by a folder of its PATH, with its environment, until it is killed', async () => {
  const folder = `/nowhere/shoal-demo-test-${process.pid}`;
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:${folder}`, SHOAL_RANK: '2' },
    stdio: 'ignore',
  });
  try {
    await once(child, 'spawn');
    const found = await processesWithPath(folder);
    expect(found.map(({ pid, env }) => [pid, env.get('SHOAL_RANK')])).toEqual([[child.pid, '2']]);
  } finally {
    const ended = once(child, 'exit');
    endHard([child.pid ?? 0]);
    await ended;
  }
  expect(await processesWithPath(folder)).toEqual([]);
  endHard([child.pid ?? 0]);
});
