import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Launch } from '#vocabulary/assignment.ts';
import type { WorkerId } from '#vocabulary/job.ts';
import type { RankEnd } from '#agent/ports/runtime.ts';
import { EndLog, freshWorker, rankStart } from '#test/conformance/runtime.ts';
import { openProcessGround, type ProcessGround, until, untilThere } from '#test/conformance/runtimeProcessGround.ts';
import { logFile } from './logFiles.ts';
import type { ProcessRuntime } from './processRuntime.ts';
import { claimFile, workerFiles } from './workerFiles.ts';

let ground: ProcessGround;
let runtime: ProcessRuntime;
let ends: EndLog;
let id: WorkerId;

beforeEach(async () => {
  ground = await openProcessGround('off');
  runtime = await ground.open();
  ends = new EndLog(runtime);
  id = freshWorker();
});
afterEach(async () => {
  await runtime.signalWorker(id, 'SIGKILL');
  await ground.dispose();
});

const root = (): string => join(ground.folder, 'agent');
const shell = (script: string): readonly string[] => ['sh', '-c', script];
const output = (stream: 'stdout' | 'stderr' = 'stdout'): Promise<string> => readFile(logFile(root(), id, 0, stream), 'utf8');

async function runToEnd(
  command: readonly string[],
  launch: Partial<Launch> = {},
  env: Readonly<Record<string, string>> = {},
): Promise<RankEnd> {
  const start = rankStart(id, 0, command, launch);
  expect(await runtime.startRank({ ...start, env: { ...start.env, ...env } })).toMatchObject({ kind: 'started' });
  return await ends.next();
}

async function refusalOf(command: readonly string[], launch: Partial<Launch> = {}): Promise<string> {
  const result = await runtime.startRank(rankStart(id, 0, command, launch));
  expect(await runtime.findRank(id, 0)).toEqual({ kind: 'never-started' });
  return result.kind === 'failed' ? result.message : result.kind;
}

describe('a launch that cannot be', () => {
  test('names the command that PATH does not have, and the PATH', async () => {
    expect(await refusalOf(['no-such-program'])).toBe('command "no-such-program" is not found in PATH (/usr/local/bin:/usr/bin:/bin)');
  });

  test('names the file that is missing, is a folder or may not be executed', async () => {
    await writeFile(join(ground.folder, 'plain'), 'echo hello\n');
    expect(await refusalOf(['./absent'])).toBe('command "./absent" does not exist');
    expect(await refusalOf(['./'])).toBe('command "./" is not a file');
    expect(await refusalOf(['./plain'])).toBe('command "./plain" cannot be executed');
  });

  test('names the folder that is missing or is none', async () => {
    await writeFile(join(ground.folder, 'plain'), '');
    expect(await refusalOf(['true'], { workingDirectory: 'absent' })).toBe(`working directory ${ground.folder}/absent does not exist`);
    expect(await refusalOf(['true'], { workingDirectory: 'plain' })).toBe(`working directory ${ground.folder}/plain is not a folder`);
  });

  test('says that the command is empty', async () => {
    expect(await refusalOf([])).toBe('the command is empty');
  });

  test('is refused for a word that no program can be given, and may be tried again', async () => {
    expect(await refusalOf(['true', 'a\0b'])).toContain('rank 0 cannot be started');
    expect(await refusalOf(['true', 'x'.repeat(4_000_000)])).toContain('cannot be started');
    expect(await runToEnd(['true'])).toMatchObject({ exitCode: 0 });
  });

  test("fails when the interpreter of a script is missing, with the shell's code and words", async () => {
    await writeFile(join(ground.folder, 'script'), '#!/no/such/interpreter\n');
    await chmod(join(ground.folder, 'script'), 0o755);
    expect((await runToEnd(['./script'])).exitCode).toBeOneOf([126, 127]);
    expect(await output('stderr')).toContain('script');
  });
});

describe('what a rank starts with', () => {
  test('its arguments as they are, whatever a shell would make of them', async () => {
    await runToEnd(['printf', '%s|', '$HOME', 'a b', '*', '', '"\'', 'line\nline']);
    expect(await output()).toBe('$HOME|a b|*||"\'|line\nline|');
  });

  test("its environment and nothing of the agent's, its worker's name added", async () => {
    await runToEnd(['env'], {}, { GREETING: 'hello world', 'odd.name-1': 'kept' });
    const lines = (await output())
      .trim()
      .split('\n')
      .filter((line) => !/^(PWD|OLDPWD|SHLVL|_)=/.test(line));
    expect(lines.sort()).toEqual([
      'GREETING=hello world',
      'PATH=/usr/local/bin:/usr/bin:/bin',
      'RANK=0',
      `SHOAL_WORKER_KEY=${id.job}/1/0`,
      'odd.name-1=kept',
    ]);
  });

  test("the folder that it asked for, relative to the agent's work folder", async () => {
    await mkdir(join(ground.folder, 'inner'));
    await runToEnd(['pwd'], { workingDirectory: 'inner' });
    expect(await output()).toBe(`${ground.folder}/inner\n`);
  });

  test.runIf(process.platform === 'linux')('no signal ignored or blocked, and not the descriptor of the launcher', async () => {
    await runToEnd(shell('grep -E "Sig(Ign|Blk)" /proc/self/status; [ -e /proc/$$/fd/3 ] || echo closed'));
    expect((await output()).split(/\s+/)).toEqual(['SigBlk:', '0000000000000000', 'SigIgn:', '0000000000000000', 'closed', '']);
  });

  test('one log for output, one for errors', async () => {
    await runToEnd(shell('echo out; echo error >&2'));
    expect(await output()).toBe('out\n');
    expect(await output('stderr')).toBe('error\n');
  });
});

describe('the end of a rank', () => {
  test.each([
    ['exit 0', 0, null],
    ['exit 42', 42, null],
    ['exit 255', 255, null],
    ['kill -KILL $$', null, 'SIGKILL'],
    ['kill -INT $$', null, 'SIGINT'],
    ['kill -QUIT $$', null, 'SIGQUIT'],
    ['kill -USR1 $$', null, 'SIGUSR1'],
    ['kill -SEGV $$', null, 'SIGSEGV'],
  ])('after "%s" is exit code %j, signal %j', async (script, exitCode, signal) => {
    expect(await runToEnd(shell(`ulimit -c 0; ${script}`))).toEqual({ id, rank: 0, exitCode, signal });
  });

  test('after SIGTERM is the exit code that the program chose', async () => {
    await runtime.startRank(rankStart(id, 0, shell('trap "exit 7" TERM; touch ready-0; while :; do sleep 0.01; done')));
    await untilThere(join(ground.folder, 'ready-0'));
    await runtime.signalWorker(id, 'SIGTERM');
    expect(await ends.next()).toEqual({ id, rank: 0, exitCode: 7, signal: null });
  });

  test('is known although the program signals its whole group', async () => {
    expect(await runToEnd(shell('trap "" TERM INT HUP; kill -TERM 0; kill -INT 0; kill -HUP 0; exit 5'))).toMatchObject({ exitCode: 5 });
  });

  test('is not known to a later agent when launcher and rank were killed by a stranger', async () => {
    const result = await runtime.startRank(rankStart(id, 0, ground.command('obedient')));
    await runtime.close();
    if (result.kind === 'started') process.kill(-result.process.pid, 'SIGKILL');
    runtime = await ground.open();
    ends = new EndLog(runtime);
    await until('the rank is gone', async () => (await runtime.findRank(id, 0)).kind === 'ended');
    expect(await runtime.findRank(id, 0)).toEqual({ kind: 'ended', exitCode: null, signal: null });
  });

  test('of an adopted rank killed by a stranger is told as unknown', async () => {
    const result = await runtime.startRank(rankStart(id, 0, ground.command('obedient')));
    await runtime.close();
    runtime = await ground.open();
    ends = new EndLog(runtime);
    await runtime.findRank(id, 0);
    if (result.kind === 'started') process.kill(-result.process.pid, 'SIGKILL');
    expect(await ends.next()).toEqual({ id, rank: 0, exitCode: null, signal: null });
  });
});

describe("a rank's name", () => {
  test('is not taken for that of another process that was given its pid', async () => {
    const result = await runtime.startRank(rankStart(id, 0, ground.command('obedient')));
    if (result.kind !== 'started') throw new Error(result.kind);
    const { pid, startTime, bootId } = result.process;
    const stranger = freshWorker();
    const files = workerFiles(root(), stranger);
    await mkdir(files.folder, { recursive: true });
    await writeFile(claimFile(files, 0), `${pid}\n${bootId}\n${startTime - 1}\n`);
    await writeFile(claimFile(files, 1), `${pid}\nanother-boot\n${startTime}\n`);
    expect(await runtime.findRank(stranger, 0)).toEqual({ kind: 'ended', exitCode: null, signal: null });
    expect(await runtime.findRank(stranger, 1)).toEqual({ kind: 'ended', exitCode: null, signal: null });
    await runtime.signalWorker(stranger, 'SIGKILL');
    expect((await runtime.findRank(id, 0)).kind).toBe('alive');
  });

  test('is burnt when a launcher died while it claimed it', async () => {
    const files = workerFiles(root(), id);
    await mkdir(files.folder, { recursive: true });
    await writeFile(claimFile(files, 0), '');
    expect(await runtime.findRank(id, 0)).toEqual({ kind: 'ended', exitCode: null, signal: null });
    expect(await runtime.startRank(rankStart(id, 0, ['true']))).toEqual({ kind: 'already-started' });
  });

  test('does not start any more once its worker was killed', async () => {
    await runtime.startRank(rankStart(id, 0, ground.command('obedient')));
    await runtime.signalWorker(id, 'SIGKILL');
    const late = await runtime.startRank(rankStart(id, 1, ['touch', 'ran']));
    expect(late).toEqual({ kind: 'failed', message: 'the worker was killed before this rank began' });
    await expect(stat(join(ground.folder, 'ran'))).rejects.toThrow('ENOENT');
  });

  test("cannot lead out of the agent's folder", async () => {
    const evil = { ...id, job: JSON.parse('"../../evil"') };
    await expect(runtime.findRank(evil, 0)).rejects.toThrow("a job's uid is a name");
  });
});

describe('a user of their own for ranks', () => {
  test.runIf(process.getuid?.() === 0 && process.platform === 'linux')(
    "is what they run as, while their control files stay root's",
    async () => {
      await chmod(ground.folder, 0o755);
      const own = await openProcessGround('off', { user: { uid: 65534, gid: 65534 } });
      await chmod(own.folder, 0o755);
      const other = await own.open();
      const otherEnds = new EndLog(other);
      const script = `id -u; id -g; touch '${own.folder}/agent/workers/x' 2>&1 || echo refused; echo again >/dev/stderr`;
      await other.startRank(rankStart(id, 0, shell(script)));
      expect(await otherEnds.next()).toMatchObject({ exitCode: 0 });
      const text = await readFile(logFile(join(own.folder, 'agent'), id, 0, 'stdout'), 'utf8');
      expect(text.split('\n')).toEqual(['65534', '65534', expect.stringContaining('denied'), 'refused', '']);
      await other.forgetWorker(id);
      await own.dispose();
    },
  );
});
