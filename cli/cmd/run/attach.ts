/**
 * Stays with a job: says what it waits for, prints rank 0 of each attempt, and gives the exit code of its end. The logs
 * of an attempt are a stream of their own beside the watch; the next attempt's wait until the one before has ended, so
 * that lines stay in order.
 */
import type { Attempt, TrainingJob } from '#gen/shoal/v1/training_job_pb.js';
import { CliError } from '../../cliError.ts';
import { reasonOf } from '../../config/configFile.ts';
import { exitCodes } from '../../exitCodes.ts';
import { readLine, type Io } from '../../io.ts';
import { makeLogPrinter } from '../../print/logLines.ts';
import { followChanges } from '../../server/changes.ts';
import type { Server } from '../../server/connection.ts';
import { untilAborted } from '../../untilAborted.ts';

interface Attached {
  readonly name: string;
  readonly uid: string;
}

type End = { readonly kind: 'succeeded' } | { readonly kind: 'failed'; readonly why: string } | { readonly kind: 'deleted' };

export async function attach(server: Server, job: Attached, io: Io, signal: AbortSignal): Promise<number> {
  const leave = new AbortController();
  const follower = follow(server, job, io, leave.signal);
  const interrupted = untilAborted(signal);
  try {
    const end = await Promise.race([follower, interrupted.promise]);
    if (end !== undefined) return sayEnd(job, end, io);
    return await interruptedBy(server, job, follower, io);
  } finally {
    interrupted.stop();
    leave.abort();
    await follower.catch(() => undefined);
  }
}

/** On a terminal the user is asked; elsewhere the job is left alone. A second Ctrl-C ends the program at once. */
async function interruptedBy(server: Server, { name }: Attached, follower: Promise<End | undefined>, io: Io): Promise<number> {
  const note = `Left job/${name} running.\nWatch it again: shoal logs -f ${name}\nStop it:        shoal delete job ${name}\n`;
  if (io.stdin.isTty && io.stderr.isTty) {
    io.stderr.write(`\njob/${name} is still there. Detach, or cancel it? [D/c] `);
    const answer = await Promise.race([
      readLine(io.stdin.chunks),
      follower.then(
        () => 'ended',
        () => 'ended',
      ),
    ]);
    if (/^c(ancel)?$/i.test(answer)) {
      await server.client.delete({ object: { kind: 'TrainingJob', name } }, { deadlineMs: 30_000 });
      io.stderr.write(`job/${name} is being deleted\n`);
      return exitCodes.interrupted;
    }
  }
  io.stderr.write(note);
  return exitCodes.interrupted;
}

function sayEnd({ name }: Attached, end: End, io: Io): number {
  switch (end.kind) {
    case 'succeeded':
      io.stderr.write(`job/${name} succeeded\n`);
      return exitCodes.ok;
    case 'failed':
      io.stderr.write(`job/${name} failed${end.why === '' ? '' : `: ${end.why}`}\nSee: shoal describe job ${name}\n`);
      return exitCodes.jobFailed;
    case 'deleted':
      throw new CliError(exitCodes.jobFailed, `error: job/${name} was deleted while it ran`);
  }
}

/** Undefined: left before the end. */
async function follow(server: Server, { name, uid }: Attached, io: Io, signal: AbortSignal): Promise<End | undefined> {
  const shown = new Set<number>();
  let logs: Promise<void> = Promise.resolve();
  let said = '';
  for await (const change of followChanges(server.client, { kind: 'TrainingJob', names: [name] }, 0n, signal)) {
    if (change.type === 'DELETED') return { kind: 'deleted' };
    const job = change.resource?.object.case === 'trainingJob' ? change.resource.object.value : undefined;
    if (job === undefined || (uid !== '' && job.metadata?.uid !== uid)) continue;
    const note = noteOf(name, job);
    if (note !== said && note !== '') io.stderr.write(`${note}\n`);
    said = note;
    for (const attempt of (job.status?.attempts ?? []).filter((each) => hasBegun(each) && !shown.has(each.number))) {
      shown.add(attempt.number);
      logs = logs.then(() => printLogs(server, { name, attempt: attempt.number }, io, signal));
    }
    const end = endOf(job);
    if (end === undefined) continue;
    await logs;
    return end;
  }
  return undefined;
}

function hasBegun(attempt: Attempt): boolean {
  return attempt.startedAt !== undefined || attempt.stage === 'Ended';
}

/** One line for each thing that the user waits for. */
function noteOf(name: string, { status }: TrainingJob): string {
  const { phase = '', reason = '', message = '' } = status ?? {};
  const why = [reason, message].filter((each) => each !== '').join(': ');
  if (phase === 'Pending' || phase === 'Suspended') return `job/${name} ${phase.toLowerCase()}${why === '' ? '' : `: ${why}`}`;
  if (phase !== 'Running') return '';
  const nodes = [...new Set((status?.ranks ?? []).map(({ node }) => node))].sort();
  return `job/${name} running${nodes.length === 0 ? '' : ` on ${nodes.join(', ')}`}`;
}

function endOf({ status }: TrainingJob): End | undefined {
  if (status?.phase === 'Succeeded') return { kind: 'succeeded' };
  if (status?.phase !== 'Failed') return undefined;
  return { kind: 'failed', why: [status.reason, status.message].filter((each) => each !== '').join(': ') };
}

/** Logs that cannot be read (the node is gone) are said and do not end the job's watch. */
async function printLogs(
  { client }: Server,
  { name, attempt }: { readonly name: string; readonly attempt: number },
  io: Io,
  signal: AbortSignal,
): Promise<void> {
  const printers = { stdout: makeLogPrinter(false), stderr: makeLogPrinter(false) };
  try {
    for await (const piece of client.logs({ job: name, attempt, follow: true }, { signal })) {
      const stream = piece.stream === 'stderr' ? 'stderr' : 'stdout';
      if (piece.error !== '') io.stderr.write(`error: rank ${piece.rank}: ${piece.error}\n`);
      io[stream].write(printers[stream].print(piece));
      await io[stream].drained();
    }
  } catch (error) {
    if (signal.aborted) return;
    io.stderr.write(`Warning: the logs of attempt ${attempt} broke off: ${reasonOf(error)}\n`);
  }
}
