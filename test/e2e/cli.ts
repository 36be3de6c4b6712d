import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Cluster } from './cluster.ts';

const shoal = fileURLToPath(new URL('../../bin/shoal', import.meta.url));

export interface Said {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the real CLI with the cluster's context. */
export async function runCli(cluster: Pick<Cluster, 'env' | 'work'>, words: readonly string[], stdin = ''): Promise<Said> {
  const child = spawn(shoal, words, { env: { ...cluster.env }, cwd: cluster.work, stdio: 'pipe' });
  const { promise: exit, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('error', reject);
  child.once('exit', resolve);
  // A CLI that refuses early does not read all of it.
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  const [stdout, stderr, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { exitCode, stdout, stderr };
}
