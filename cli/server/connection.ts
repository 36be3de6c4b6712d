/** The way to the controller. Imported by commands when they run: grpc-js costs more than all the rest of the start. */
import { ControlService } from '#gen/shoal/v1/control_pb.js';
import type { CallOptions, Client } from '#rpc/call.ts';
import { connect } from '#rpc/connect.ts';
import { clientCredentials } from '#rpc/credentials.ts';
import { CliError } from '../cliError.ts';
import { chooseContext, type Access } from '../config/chooseContext.ts';
import type { TargetOptions } from '../config/target.ts';
import { reasonOf } from '../config/configFile.ts';
import { exitCodes } from '../exitCodes.ts';
import type { Io } from '../io.ts';
import { failureOf } from './failure.ts';

export type ControlClient = Client<typeof ControlService>;

export interface Server {
  readonly client: ControlClient;
  /** host:port, for messages. */
  readonly address: string;
  /** For a unary call: its deadline and Ctrl-C. */
  readonly unary: () => CallOptions;
}

/** Connects, does the work, closes. What the server refuses leaves as a `CliError`. */
export async function withServer<T>(target: TargetOptions, io: Io, work: (server: Server) => Promise<T>, signal: AbortSignal): Promise<T> {
  const access = await chooseContext(target, io.env);
  const client = openClient(access);
  const unary = (): CallOptions => ({ signal, ...(target.requestTimeoutMs > 0 ? { deadlineMs: target.requestTimeoutMs } : {}) });
  try {
    return await work({ client, address: access.server, unary });
  } catch (error) {
    throw signal.aborted ? new CliError(exitCodes.interrupted, '') : failureOf(error, access.server);
  } finally {
    client.close();
  }
}

function openClient(access: Access): ControlClient & { close(): void } {
  try {
    const headers = access.token === '' ? {} : { authorization: `Bearer ${access.token}` };
    return connect(ControlService, {
      address: access.server,
      credentials: clientCredentials({ caPem: access.caPem }),
      metadata: () => headers,
    });
  } catch (error) {
    throw new CliError(exitCodes.error, `error: the context's certificate authority is not valid: ${reasonOf(error)}`);
  }
}
