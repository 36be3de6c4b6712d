import { type ChildProcess, spawn } from 'node:child_process';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { logFile, logFolder } from './logFiles.ts';
import { claimFile, type ExitStatus, exitFile, exitStatusOf, type WorkerFiles } from './workerFiles.ts';
import type { RankStart } from '#agent/ports/runtime.ts';

/** What one launch needs besides its start. */
export interface LaunchPlan {
  readonly root: string;
  readonly files: WorkerFiles;
  readonly bootId: string;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** With what changes the user already in front. */
  readonly command: readonly string[];
  readonly cgroupFolders: readonly string[];
  readonly user: RankUser | null;
}

/** Numbers of the system's user and group that ranks run as. */
export interface RankUser {
  readonly uid: number;
  readonly gid: number;
}

export type Launched =
  /** `ended`: the launcher's own status, when it ends; the exit file has the rank's. */
  | { readonly kind: 'started'; readonly ended: Promise<ExitStatus> }
  | { readonly kind: 'already-started' }
  | { readonly kind: 'failed'; readonly message: string }
  /** The launcher died without a word; whether it had claimed the rank is for the claim file to say. */
  | { readonly kind: 'silent'; readonly pid: number; readonly ended: Promise<ExitStatus> };

const launcher = fileURLToPath(new URL('launch.sh', import.meta.url));

/**
 * Starts the launcher in a session of its own, with files for output, so that nothing ties it to this process; waits
 * for its one line. See launch.sh.
 */
export async function launchRank(start: RankStart, plan: LaunchPlan): Promise<Launched> {
  await mkdir(logFolder(plan.root, start.id), { recursive: true });
  const logs: FileHandle[] = [];
  try {
    for (const stream of ['stdout', 'stderr'] as const)
      logs.push(await openLog(logFile(plan.root, start.id, start.rank, stream), plan.user));
    const [stdout, stderr] = logs;
    if (stdout === undefined || stderr === undefined) throw new Error('a rank has two logs');
    const child = spawn('/bin/sh', launcherArguments(start.rank, plan), {
      cwd: plan.folder,
      env: plan.env,
      detached: true,
      stdio: ['ignore', stdout.fd, stderr.fd, 'pipe'],
    });
    child.unref();
    return await readAnswer(child);
  } finally {
    for (const log of logs) await log.close();
  }
}

/** In append mode: rotation truncates the file under the writer. */
async function openLog(path: string, user: RankUser | null): Promise<FileHandle> {
  const log = await open(path, 'a', 0o640);
  // A program may open /dev/stderr anew, which asks for its own right to the file.
  if (user !== null) await log.chown(user.uid, user.gid);
  return log;
}

function launcherArguments(rank: number, plan: LaunchPlan): readonly string[] {
  const joins = plan.cgroupFolders.map((folder) => `${folder}/cgroup.procs`);
  return [
    launcher,
    claimFile(plan.files, rank),
    exitFile(plan.files, rank),
    plan.files.killed,
    plan.files.terminated,
    plan.bootId,
    String(joins.length),
    ...joins,
    ...plan.command,
  ];
}

async function readAnswer(child: ChildProcess): Promise<Launched> {
  const { promise: ended, resolve: end } = Promise.withResolvers<ExitStatus>();
  const { promise: refused, resolve: refuse } = Promise.withResolvers<Launched>();
  child.once('exit', (code, signal) => end(code === null ? { exitCode: null, signal } : exitStatusOf(code)));
  child.once('error', (error) => refuse({ kind: 'failed', message: `the launcher cannot be started: ${error.message}` }));
  return await Promise.race([refused, readLine(child).then((line) => parseAnswer(line, child, ended))]);
}

function parseAnswer(line: string, child: ChildProcess, ended: Promise<ExitStatus>): Launched {
  if (line === 'started') return { kind: 'started', ended };
  if (line === 'already-started') return { kind: 'already-started' };
  if (line.startsWith('failed ')) return { kind: 'failed', message: line.slice('failed '.length) };
  return { kind: 'silent', pid: child.pid ?? 0, ended };
}

/** The launcher closes its end after the line, and the kernel does when it dies. */
async function readLine(child: ChildProcess): Promise<string> {
  const answer = child.stdio[3];
  if (!(answer instanceof Readable)) throw new Error('the launcher has a pipe to answer on');
  let text = '';
  for await (const chunk of answer.setEncoding('utf8')) text += String(chunk);
  return text.trim();
}
