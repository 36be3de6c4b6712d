/**
 * The cluster's CA certificate, got from the controller itself and trusted because its SHA-256 stands in the join
 * token. Nothing is sent before; a stranger in the middle cannot show a certificate of the same hash.
 */
import { connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import { createHash } from 'node:crypto';

const connectMs = 10_000;
/** Longer chains are not looked through. */
const chainMax = 8;

/** PEM of the presented certificate with this hash. Throws with what was presented instead. */
export async function fetchPinnedCa(address: string, caSha256: string): Promise<string> {
  const chain = await presentedChain(address);
  const hashes = chain.map((raw) => createHash('sha256').update(raw).digest('hex'));
  const raw = chain[hashes.indexOf(caSha256)];
  if (raw === undefined) {
    throw new Error(
      `${address} is not the controller that made this join token: it presented ${hashes.join(', ') || 'no certificate'}, ` +
        `the token names CA ${caSha256}`,
    );
  }
  const lines = raw.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

async function presentedChain(address: string): Promise<readonly Buffer[]> {
  const { host, port } = splitAddress(address);
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'], minVersion: 'TLSv1.2' }, () => {
      const chain = chainOf(socket.getPeerCertificate(true));
      socket.destroy();
      resolve(chain);
    });
    socket.setTimeout(connectMs, () => socket.destroy(new Error(`no answer within ${connectMs / 1000} s`)));
    socket.once('error', (error) => reject(new Error(`cannot reach the controller at ${address}: ${error.message}`)));
  });
}

function chainOf(leaf: DetailedPeerCertificate): readonly Buffer[] {
  const chain: Buffer[] = [];
  let current: DetailedPeerCertificate | undefined = leaf;
  while (current?.raw !== undefined && chain.length < chainMax) {
    chain.push(current.raw);
    current = current.issuerCertificate === current ? undefined : current.issuerCertificate;
  }
  return chain;
}

/** host:port, [v6]:port. Throws when it is neither. */
function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port < 1 || port > 65_535) throw new Error(`controller address "${address}" is not host:port`);
  return { host, port };
}
