/**
 * A second host on this machine: a network namespace that reaches the first one over a virtual cable which a test can
 * cut. Needs root and iproute2.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface SecondHost {
  /** Of the first host, as the second one reaches it. */
  readonly firstAddress: string;
  readonly secondAddress: string;
  /** Words before a program that shall run on the second host. */
  readonly within: readonly string[];
  cut(): Promise<void>;
  heal(): Promise<void>;
  remove(): Promise<void>;
}

export type Made = { readonly ok: true; readonly host: SecondHost } | { readonly ok: false; readonly reason: string };

/** The reason says what this machine lacks. */
export async function makeSecondHost(): Promise<Made> {
  if (process.platform !== 'linux') return { ok: false, reason: `network namespaces are of Linux, this is ${process.platform}` };
  if (process.getuid?.() !== 0) return { ok: false, reason: 'network namespaces need root' };
  const number = process.pid % 60_000;
  const name = `shoal-e2e-${number}`;
  const [first, second] = [`shl${number}a`, `shl${number}b`];
  const subnet = `10.213.${number % 250}`;
  const remove = async (): Promise<void> => {
    // The cable goes with the namespace that holds its other end.
    await run('ip', ['netns', 'delete', name]).catch(() => undefined);
    await run('ip', ['link', 'delete', first]).catch(() => undefined);
  };
  try {
    await run('ip', ['netns', 'add', name]);
    await run('ip', ['link', 'add', first, 'type', 'veth', 'peer', 'name', second, 'netns', name]);
    await run('ip', ['address', 'add', `${subnet}.1/30`, 'dev', first]);
    await run('ip', ['-n', name, 'address', 'add', `${subnet}.2/30`, 'dev', second]);
    await run('ip', ['link', 'set', first, 'up']);
    for (const each of ['lo', second]) await run('ip', ['-n', name, 'link', 'set', each, 'up']);
    await run('nsenter', [`--net=/run/netns/${name}`, 'true']);
  } catch (error) {
    await remove();
    return { ok: false, reason: `no second host can be made: ${error instanceof Error ? error.message.trim() : String(error)}` };
  }
  const set = async (state: 'up' | 'down'): Promise<void> => void (await run('ip', ['-n', name, 'link', 'set', second, state]));
  return {
    ok: true,
    host: {
      firstAddress: `${subnet}.1`,
      secondAddress: `${subnet}.2`,
      // Not `ip netns exec`: that gives the program a /sys without cgroups.
      within: ['nsenter', `--net=/run/netns/${name}`],
      cut: () => set('down'),
      heal: () => set('up'),
      remove,
    },
  };
}
