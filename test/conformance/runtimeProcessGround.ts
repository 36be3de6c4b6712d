import { access, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { assert } from '#vocabulary/assert.ts';
import type { RankStart } from '#agent/ports/runtime.ts';
import { removeCgroups } from '#agent/adapters/process/cgroupMembers.ts';
import { readIfThere } from '#agent/adapters/process/workerFiles.ts';
import type { RuntimeGround } from './runtime.ts';
import { createProcessRuntime, type ProcessRuntime, type ProcessRuntimeOptions } from '#agent/adapters/process/processRuntime.ts';

/** A folder with real processes for tests: ranks are shell loops that wait for a file with their exit code. */
export interface ProcessGround extends RuntimeGround {
  readonly folder: string;
  readonly notices: readonly string[];
  open(): Promise<ProcessRuntime>;
}

export async function openProcessGround(cgroups: 'auto' | 'off', more: Partial<ProcessRuntimeOptions> = {}): Promise<ProcessGround> {
  const folder = await mkdtemp(join(tmpdir(), 'shoal-process-'));
  const notices: string[] = [];
  const opened: ProcessRuntime[] = [];
  const loop = 'touch ready-$RANK; until [ -e finish-$RANK ]; do sleep 0.01; done; read code <finish-$RANK; exit $code';
  return {
    folder,
    notices,
    async open() {
      const runtime = await createProcessRuntime({
        root: join(folder, 'agent'),
        workDir: folder,
        cgroups,
        user: null,
        logLimits: { fileBytes: 1 << 20, files: 2 },
        notice: (message) => void notices.push(message),
        ...more,
      });
      opened.push(runtime);
      return runtime;
    },
    async crash(runtime) {
      await opened.find((entry) => entry === runtime)?.close();
    },
    command(kind) {
      if (kind === 'missing') return [join(folder, 'no-such-program')];
      return ['/bin/sh', '-c', kind === 'stubborn' ? `trap '' TERM; ${loop}` : loop];
    },
    async finish(start, exitCode) {
      await writeFile(join(folder, `new-${start.rank}`), `${exitCode}\n`);
      await rename(join(folder, `new-${start.rank}`), join(folder, `finish-${start.rank}`));
    },
    settled: (start: RankStart) => untilThere(join(folder, `ready-${start.rank}`)),
    async dispose() {
      for (const runtime of opened) await runtime.close();
      await removeLeftCgroups(join(folder, 'agent', 'workers'));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Of workers that a test killed and did not forget. */
async function removeLeftCgroups(workers: string): Promise<void> {
  for (const name of await readdir(workers).catch(() => [])) {
    const folders = await readIfThere(join(workers, name, 'cgroups'));
    if (folders !== null) await removeCgroups(folders.trim().split('\n'));
  }
}

/** Waits for a file that a real process makes. */
export async function untilThere(path: string): Promise<void> {
  await until(`${path} is there`, () =>
    access(path).then(
      () => true,
      () => false,
    ),
  );
}

/** Waits for what real processes do; 10 s are for a busy machine. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await holds())) {
    assert(performance.now() < deadline, `${what} within 10 s`);
    await delay(5);
  }
}
