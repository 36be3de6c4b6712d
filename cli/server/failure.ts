import { RpcError, type RpcCode } from '#rpc/rpcError.ts';
import { CliError } from '../cliError.ts';
import { exitCodes } from '../exitCodes.ts';

interface Meaning {
  /** kubectl's word for it. */
  readonly word: string;
  readonly exitCode: number;
}

const meanings: Readonly<Record<RpcCode, Meaning>> = {
  CANCELLED: { word: 'Cancelled', exitCode: exitCodes.error },
  UNKNOWN: { word: 'Unknown', exitCode: exitCodes.error },
  INVALID_ARGUMENT: { word: 'Invalid', exitCode: exitCodes.error },
  DEADLINE_EXCEEDED: { word: 'Timeout', exitCode: exitCodes.timedOut },
  NOT_FOUND: { word: 'NotFound', exitCode: exitCodes.notFound },
  ALREADY_EXISTS: { word: 'AlreadyExists', exitCode: exitCodes.conflict },
  PERMISSION_DENIED: { word: 'Forbidden', exitCode: exitCodes.notAllowed },
  RESOURCE_EXHAUSTED: { word: 'TooManyRequests', exitCode: exitCodes.error },
  FAILED_PRECONDITION: { word: 'Conflict', exitCode: exitCodes.conflict },
  ABORTED: { word: 'Conflict', exitCode: exitCodes.conflict },
  OUT_OF_RANGE: { word: 'Expired', exitCode: exitCodes.error },
  UNIMPLEMENTED: { word: 'NotImplemented', exitCode: exitCodes.error },
  INTERNAL: { word: 'InternalError', exitCode: exitCodes.error },
  UNAVAILABLE: { word: 'ServiceUnavailable', exitCode: exitCodes.error },
  UNAUTHENTICATED: { word: 'Unauthorized', exitCode: exitCodes.notAllowed },
};

/** The one place where what the wire threw becomes what the user reads. */
export function failureOf(error: unknown, address: string): unknown {
  if (!(error instanceof RpcError)) return error;
  if (error.code === 'UNAVAILABLE' && isUnreachable(error.message)) return unreachable(error.message, address);
  const { exitCode } = meanings[error.code];
  return new CliError(exitCode, serverSays(error.code, error.message), hintsFor(error.code));
}

/** `Error from server (NotFound): jobs "llmaa" not found`. */
export function serverSays(code: RpcCode, message: string): string {
  return `Error from server (${meanings[code].word}): ${message}`;
}

/** Of a refusal that came as data: an apply result carries the code's name. */
export function serverSaysByName(code: string, message: string): string {
  return isRpcCode(code) ? serverSays(code, message) : `Error from server: ${message}`;
}

function isRpcCode(code: string): code is RpcCode {
  return Object.hasOwn(meanings, code);
}

function hintsFor(code: RpcCode): readonly string[] {
  switch (code) {
    case 'UNAUTHENTICATED':
      return ['The token of this context is missing or no longer valid. See: shoal config view'];
    case 'RESOURCE_EXHAUSTED':
      return ['Try again in a moment.'];
    default:
      return [];
  }
}

/** grpc-js tells a server that cannot be reached from one that refuses only in its text. */
function isUnreachable(message: string): boolean {
  return /No connection established|ECONNREFUSED|ECONNRESET|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH|Connection dropped|Name resolution failed/.test(
    message,
  );
}

function unreachable(message: string, address: string): CliError {
  const certificate = /certificate|altnames|self.signed|CERT_|UNABLE_TO_VERIFY|SSL|TLS/i.test(message);
  if (certificate) {
    return new CliError(
      exitCodes.error,
      `Unable to connect to the server ${address}: its certificate is not trusted (${causeOf(message)})`,
      ['Is this the right cluster? See: shoal config get-contexts'],
    );
  }
  return new CliError(exitCodes.error, `Unable to connect to the server ${address}: ${causeOf(message)}`, [
    'Is the controller running? Start one here: shoal up',
    'Or choose another cluster: shoal config get-contexts',
  ]);
}

/** The part of grpc-js's sentence that says something. */
function causeOf(message: string): string {
  if (message.includes('ECONNREFUSED')) return 'connection refused';
  const last = /Last error: (?:Error: )?(.*?)(?:\. Resolution note:.*)?$/s.exec(message);
  return (last?.[1] ?? message).split('\n')[0] ?? message;
}
