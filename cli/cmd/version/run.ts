import { compileTarget, type TargetOptions } from '../../config/target.ts';
import { exitCodes } from '../../exitCodes.ts';
import { compileChoice, isSet, type Flags } from '../../flags.ts';
import type { Io } from '../../io.ts';
import { clientVersion } from '../../version.ts';

export interface VersionOptions {
  readonly target: TargetOptions;
  readonly client: boolean;
  readonly output: 'json' | 'yaml' | null;
}

export function compileVersion(flags: Flags): VersionOptions {
  return { target: compileTarget(flags), client: isSet(flags, 'client'), output: compileChoice(flags, 'output', ['json', 'yaml']) };
}

export async function runVersion(options: VersionOptions, io: Io, signal: AbortSignal): Promise<number> {
  const client = { version: clientVersion(), node: process.version };
  const server = options.client ? null : await serverVersion(options, io, signal);
  if (options.output !== null) {
    const { formatValue } = await import('../../print/canonical.ts');
    io.stdout.write(await formatValue({ client, ...(server === null ? {} : { server }) }, options.output));
    return exitCodes.ok;
  }
  io.stdout.write(`Client version: ${client.version}\n`);
  if (server !== null)
    io.stdout.write(`Server version: ${server.version}\nCluster: ${server.clusterId}\nUser: ${server.user} (${server.role})\n`);
  if (server?.degraded) io.stderr.write(`Warning: the server refuses changes: ${server.degraded}\n`);
  return exitCodes.ok;
}

interface ServerVersion {
  readonly version: string;
  readonly clusterId: string;
  readonly user: string;
  readonly role: string;
  readonly degraded: string;
}

async function serverVersion(options: VersionOptions, io: Io, signal: AbortSignal): Promise<ServerVersion> {
  const { withServer } = await import('../../server/connection.ts');
  return withServer(
    options.target,
    io,
    async ({ client, unary }) => {
      const { serverVersion: version, clusterId, user, role, degraded } = await client.info({}, unary());
      return { version, clusterId, user, role, degraded };
    },
    signal,
  );
}
