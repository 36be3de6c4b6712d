/**
 * TLS on both ends, version 1.3 only. grpc-js is extended at its two abstract classes, for two reasons: its own
 * `createSsl` cannot say which TLS versions are allowed, and its channels hand an IP address to TLS as server name,
 * which Node 26 refuses (RFC 6066 allows names only) — clusters are often reached by address.
 */
import { isIP, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, type ConnectionOptions, type SecureContext, type SecureVersion } from 'node:tls';
import * as grpc from '@grpc/grpc-js';

/** Both ends are ours, so nothing older is needed. */
const minVersion: SecureVersion = 'TLSv1.3';

export interface ServerTls {
  readonly certificatePem: string;
  readonly keyPem: string;
  /** Signs the clients' certificates. */
  readonly caPem: string;
  /** False: clients are not asked for one, and must show who they are in another way. */
  readonly requireClientCertificate: boolean;
}

export interface ClientTls {
  /** Signs the server's certificate; no other authority is trusted. */
  readonly caPem: string;
  readonly certificatePem?: string;
  readonly keyPem?: string;
}

export function serverCredentials(tls: ServerTls): grpc.ServerCredentials {
  return new TlsServerCredentials(tls);
}

export function clientCredentials({ caPem, certificatePem, keyPem }: ClientTls): grpc.ChannelCredentials {
  const context = createSecureContext({
    ca: caPem,
    minVersion,
    ...(certificatePem === undefined ? {} : { cert: certificatePem }),
    ...(keyPem === undefined ? {} : { key: keyPem }),
  });
  return new TlsChannelCredentials(context);
}

class TlsServerCredentials extends grpc.ServerCredentials {
  constructor({ certificatePem, keyPem, caPem, requireClientCertificate }: ServerTls) {
    super(
      { requestCert: requireClientCertificate, rejectUnauthorized: requireClientCertificate, minVersion },
      { ca: caPem, cert: certificatePem, key: keyPem, minVersion },
    );
  }

  override _equals(other: grpc.ServerCredentials): boolean {
    return this === other;
  }
}

type SecureConnector = grpc.experimental.SecureConnector;

class TlsChannelCredentials extends grpc.ChannelCredentials {
  readonly #context: SecureContext;

  constructor(context: SecureContext) {
    super();
    this.#context = context;
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: grpc.ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(
    target: grpc.experimental.GrpcUri,
    _: grpc.ChannelOptions,
    callCredentials?: grpc.CallCredentials,
  ): SecureConnector {
    const host = grpc.experimental.splitHostPort(target.path)?.host ?? target.path;
    const options: ConnectionOptions = { secureContext: this.#context, host, ALPNProtocols: ['h2'] };
    if (isIP(host) === 0) options.servername = host;
    return {
      connect: async (socket) => secure(socket, options),
      waitForReady: async () => undefined,
      getCallCredentials: () => callCredentials ?? grpc.CallCredentials.createEmpty(),
      destroy: () => undefined,
    };
  }
}

/** Node itself closes the connection when the server's certificate is not of the CA or not for this host. */
async function secure(socket: Socket, options: ConnectionOptions): Promise<grpc.experimental.SecureConnectResult> {
  return new Promise((resolve, reject) => {
    const secured = connectTls({ ...options, socket }, () => resolve({ socket: secured, secure: true }));
    secured.on('error', reject);
  });
}
