import 'reflect-metadata';
import { createHash, createPrivateKey, type KeyObject, X509Certificate as NodeCertificate } from 'node:crypto';
import { join } from 'node:path';
import { SubjectAlternativeNameExtension, X509Certificate } from '@peculiar/x509';
import type { NodeName } from '#vocabulary/ids.ts';
import { type Authority, issueAuthority, issueNode, issueServer, newPrivateKey } from './certificates.ts';
import { checkedPublicKey } from './certificateRequest.ts';
import { makePrivateFolder, readIfThere, writeWhole } from './pemFiles.ts';
import { pkiFilesError } from './pkiError.ts';
import { type ServerName, serverNameKey, serverNames } from './serverNames.ts';

export interface PkiOptions {
  /** Made with mode 0700 when it is not there; holds ca.key, ca.crt, server.key and server.crt. */
  readonly folder: string;
  /** DNS names and IP addresses of the server, beside loopback. */
  readonly names: readonly string[];
  /** The clock, for tests. */
  readonly now?: () => Date;
}

/** The cluster's own certificate authority and the server's certificate. */
export interface Pki {
  readonly caCertificatePem: string;
  /** SHA-256 of the CA certificate's DER, 64 hex digits: what a join token carries. */
  readonly caHash: string;
  readonly serverCertificatePem: string;
  /** The server's certificate and the CA's: who knows only the hash can find the CA in the handshake. */
  readonly serverChainPem: string;
  readonly serverKeyPem: string;
  /**
   * A client certificate of 90 days for the key of a PKCS#10 request, of which nothing else is taken over.
   * Throws PkiError `request` when its signature fails or its common name is not the node's.
   */
  signNodeCertificate(csrPem: string, node: NodeName): Promise<string>;
}

/** A server certificate with less left is replaced at start. */
const renewBeforeMs = 30 * 24 * 60 * 60 * 1_000;

/**
 * Opens the cluster's keys, or makes them on the first start. The server's certificate is made anew when its names changed, when
 * it is about to run out or when another CA signed it; the CA never. Throws PkiError `files` when files are missing or do
 * not belong together: a new CA would lock out every agent, so that is never done unasked.
 */
export async function openPki(options: PkiOptions): Promise<Pki> {
  const now = options.now ?? ((): Date => new Date());
  const names = serverNames(options.names);
  await makePrivateFolder(options.folder);
  const authority = await openAuthority(options.folder, now());
  const server = await openServer(options.folder, { authority, names, now: now() });
  const caCertificatePem = authority.pem;
  return {
    caCertificatePem,
    caHash: createHash('sha256').update(new Uint8Array(authority.certificate.rawData)).digest('hex'),
    serverCertificatePem: server.certificatePem,
    serverChainPem: server.certificatePem + caCertificatePem,
    serverKeyPem: server.keyPem,
    signNodeCertificate: async (csrPem, node) => {
      const publicKey = await checkedPublicKey(csrPem, node);
      return issueNode(authority, { name: node, publicKey }, now());
    },
  };
}

interface OpenAuthority extends Authority {
  readonly pem: string;
}

async function openAuthority(folder: string, now: Date): Promise<OpenAuthority> {
  const keyFile = join(folder, 'ca.key');
  const certificateFile = join(folder, 'ca.crt');
  let keyPem = await readIfThere(keyFile);
  let pem = await readIfThere(certificateFile);
  if (keyPem === null || pem === null) {
    // A key alone is a first start that was interrupted, as long as nothing can have been signed with it.
    const untouched = pem === null && (await readIfThere(join(folder, 'server.crt'))) === null;
    if (!untouched) {
      throw pkiFilesError(
        `${keyPem === null ? keyFile : certificateFile} is missing`,
        `Restore ${folder} from a backup: agents trust this CA only`,
      );
    }
    keyPem ??= await writeNewKey(keyFile);
    pem = await issueAuthority(parseKey(keyFile, keyPem), now);
    await writeWhole(certificateFile, pem, 0o644);
  }
  const key = parseKey(keyFile, keyPem);
  const certificate = parseCertificate(certificateFile, pem);
  checkPair({ keyFile, key, certificateFile, pem });
  if (certificate.notAfter.getTime() <= now.getTime()) {
    throw pkiFilesError(
      `${certificateFile} ran out on ${certificate.notAfter.toISOString()}`,
      'A new CA has to be made, and every agent has to join again',
    );
  }
  return { key, certificate, pem };
}

interface ServerNeeds {
  readonly authority: OpenAuthority;
  readonly names: readonly ServerName[];
  readonly now: Date;
}

async function openServer(folder: string, needs: ServerNeeds): Promise<{ readonly keyPem: string; readonly certificatePem: string }> {
  const keyFile = join(folder, 'server.key');
  const certificateFile = join(folder, 'server.crt');
  const stored = await readIfThere(certificateFile);
  let keyPem = await readIfThere(keyFile);
  if (keyPem === null && stored !== null) {
    throw pkiFilesError(`${keyFile} is missing`, `Restore it from a backup, or remove ${certificateFile} to get a new pair`);
  }
  // The key stays when the certificate is replaced: a crash in between cannot leave two files that do not fit.
  keyPem ??= await writeNewKey(keyFile);
  const key = parseKey(keyFile, keyPem);
  if (stored !== null) {
    const certificate = parseCertificate(certificateFile, stored);
    checkPair({ keyFile, key, certificateFile, pem: stored });
    if (serves(certificate, stored, needs)) return { keyPem, certificatePem: stored };
  }
  const certificatePem = await issueServer(needs.authority, { key, names: needs.names }, needs.now);
  await writeWhole(certificateFile, certificatePem, 0o644);
  return { keyPem, certificatePem };
}

function serves(certificate: X509Certificate, pem: string, { authority, names, now }: ServerNeeds): boolean {
  const signed = new NodeCertificate(pem).verify(new NodeCertificate(authority.pem).publicKey);
  const lasts = certificate.notAfter.getTime() - now.getTime() >= renewBeforeMs && certificate.notBefore.getTime() <= now.getTime();
  return signed && lasts && namesOf(certificate).join() === names.map(serverNameKey).join();
}

function namesOf(certificate: X509Certificate): string[] {
  const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.items ?? [];
  return names.map(({ type, value }) => `${type}:${value}`).toSorted();
}

async function writeNewKey(file: string): Promise<string> {
  const pem = newPrivateKey().export({ type: 'pkcs8', format: 'pem' }).toString();
  await writeWhole(file, pem, 0o600);
  return pem;
}

function parseKey(file: string, pem: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw pkiFilesError(`${file} is no private key in PEM`, 'Restore it from a backup', error);
  }
  if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  throw pkiFilesError(`${file} is no ECDSA key on the curve P-256`, 'Restore it from a backup');
}

function parseCertificate(file: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw pkiFilesError(`${file} is no certificate in PEM`, 'Restore it from a backup', error);
  }
}

interface Pair {
  readonly keyFile: string;
  readonly key: KeyObject;
  readonly certificateFile: string;
  readonly pem: string;
}

function checkPair({ keyFile, key, certificateFile, pem }: Pair): void {
  if (new NodeCertificate(pem).checkPrivateKey(key)) return;
  throw pkiFilesError(`${keyFile} and ${certificateFile} do not belong together`, 'Restore both from the same backup');
}
