import { CliError } from '../../cliError.ts';
import { exitCodes } from '../../exitCodes.ts';
import type { Io } from '../../io.ts';
import { withServer, type Server } from '../../server/connection.ts';
import { serverSaysByName } from '../../server/failure.ts';
import { attach } from './attach.ts';
import { makeName, manifestOf, shapeOf, type Shape } from './manifest.ts';
import type { RunOptions } from './options.ts';

export async function runRun(options: RunOptions, io: Io, signal: AbortSignal): Promise<number> {
  return withServer(
    options.target,
    io,
    async (server) => {
      const shape = await chooseShape(server, options);
      const name = options.name ?? makeName(options.command);
      const uid = await submit(server, manifestOf(options, name, shape), name, io);
      // The job's own output is what stdout is for; only a detached run has nothing else to say there.
      (options.detach ? io.stdout : io.stderr).write(`job/${name} created\n`);
      if (options.detach) return exitCodes.ok;
      return attach(server, { name, uid }, io, signal);
    },
    signal,
  );
}

async function chooseShape(server: Server, { gpus, workers, gpusPerWorker }: RunOptions): Promise<Shape> {
  const open = gpus !== null && gpus > 1 && workers === null && gpusPerWorker === null;
  const shape = shapeOf(gpus, workers, gpusPerWorker, open ? await largestNode(server) : 0);
  if (shape !== undefined) return shape;
  const by =
    gpusPerWorker === null
      ? `${workers} workers`
      : workers === null
        ? `workers of ${gpusPerWorker}`
        : `${workers} workers of ${gpusPerWorker}`;
  throw new CliError(exitCodes.usage, `error: ${gpus} GPUs do not divide into ${by}`);
}

async function largestNode({ client, unary }: Server): Promise<number> {
  const { resources } = await client.list({ kind: 'Node' }, unary());
  return Math.max(0, ...resources.map(({ object }) => (object.case === 'node' ? (object.value.status?.inventory?.gpus.length ?? 0) : 0)));
}

/** A name that is taken is refused, not changed: `run` always starts something new. */
async function submit(server: Server, manifest: unknown, name: string, io: Io): Promise<string> {
  await refuseTakenName(server, name);
  const { results } = await server.client.apply({ documents: [{ json: JSON.stringify(manifest) }] }, server.unary());
  const [result] = results;
  if (result === undefined) throw new CliError(exitCodes.error, 'error: the server gave no answer for the job');
  for (const warning of result.warnings) io.stderr.write(`Warning: ${warning}\n`);
  if (result.outcome !== 'refused') return result.uid;
  const problems = result.problems.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`));
  throw new CliError(exitCodes.error, serverSaysByName(result.code, problems.join('\n')));
}

async function refuseTakenName({ client, unary }: Server, name: string): Promise<void> {
  const { table } = await client.list({ kind: 'TrainingJob', names: [name], table: true }, unary());
  if ((table?.rows.length ?? 0) === 0) return;
  throw new CliError(exitCodes.conflict, `Error from server (AlreadyExists): jobs "${name}" already exists`, [
    `Look at it:  shoal describe job ${name}`,
    'Or leave out --name: one is made.',
  ]);
}
