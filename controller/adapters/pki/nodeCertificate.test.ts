import 'reflect-metadata';
import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import {
  BasicConstraintsExtension,
  type Extension,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
} from '@peculiar/x509';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeName } from '#vocabulary/ids.ts';
import { openPki, type Pki } from './pki.ts';

const dayMs = 24 * 60 * 60 * 1_000;
const names = ['head.example', '10.1.2.3'];
const node = nodeName('node-1');

let base: string;
let folder: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'shoal-pki-'));
  folder = join(base, 'pki');
});
afterEach(() => rmSync(base, { recursive: true }));

describe('the certificate of a node', () => {
  it("lasts ninety days, the server's one year, the CA's ten", async () => {
    const now = new Date('2030-01-01T00:00:00Z');
    const pki = await openPki({ folder, names, now: () => now });
    const nodePem = await pki.signNodeCertificate((await request('node-1')).csrPem, node);
    const days = [pki.caCertificatePem, pki.serverCertificatePem, nodePem].map((pem) => daysLeft(pem, now));
    expect(days).toEqual([3650, 365, 90]);
  });

  it('passes the strict checks of OpenSSL', async (context) => {
    if (!hasOpenssl()) return context.skip('openssl is not installed');
    const pki = await openPki({ folder, names });
    writeFileSync(join(folder, 'node.crt'), await pki.signNodeCertificate((await request('node-1')).csrPem, node));
    expect(opensslVerify('server.crt', 'sslserver')).toContain('server.crt: OK');
    expect(opensslVerify('node.crt', 'sslclient')).toContain('node.crt: OK');
    expect(() => opensslVerify('node.crt', 'sslserver')).toThrow();
    expect(() => opensslVerify('server.crt', 'sslclient')).toThrow();
  });
  it('takes over the key and nothing else of the request', async () => {
    const pki = await openPki({ folder, names });
    const extensions = [
      new BasicConstraintsExtension(true, undefined, true),
      new SubjectAlternativeNameExtension([{ type: 'dns', value: 'head.example' }]),
    ];
    const { csrPem } = await request('node-1', { extensions });
    const certificate = new X509Certificate(await pki.signNodeCertificate(csrPem, node));
    expect({ subject: certificate.subject, ca: certificate.ca, names: certificate.subjectAltName, use: certificate.keyUsage }).toEqual({
      subject: 'CN=node-1',
      ca: false,
      names: undefined,
      use: ['1.3.6.1.5.5.7.3.2'],
    });
  });

  it('is refused for another name', async () => {
    const pki = await openPki({ folder, names });
    const { csrPem } = await request('node-2');
    await expect(pki.signNodeCertificate(csrPem, node)).rejects.toMatchObject({
      code: 'request',
      message: 'the certificate request is for "node-2", not for node "node-1"',
    });
    for (const subject of ['CN=node-1, CN=node-2', 'O=node-1']) {
      await expect(pki.signNodeCertificate((await request(subject)).csrPem, node)).rejects.toMatchObject({ code: 'request' });
    }
  });

  it('is refused when the request is not signed by its key', async () => {
    const pki = await openPki({ folder, names });
    const { csrPem } = await request('node-1');
    const bytes = Buffer.from(csrPem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
    const at = bytes.indexOf('node-1');
    bytes.write('node-7', at);
    const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    await expect(pki.signNodeCertificate(forged, nodeName('node-7'))).rejects.toThrow('not signed by its own key');
  });

  it('is refused for a weak key and for what is no request', async () => {
    const pki = await openPki({ folder, names });
    const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]) };
    const weak = await request('node-1', { algorithm: rsa });
    await expect(pki.signNodeCertificate(weak.csrPem, node)).rejects.toThrow('a key of kind RSASSA-PKCS1-v1_5; ECDSA on P-256 or P-384');
    for (const text of ['', 'hello', pki.caCertificatePem, 'x'.repeat(100_000)]) {
      await expect(pki.signNodeCertificate(text, node)).rejects.toMatchObject({ name: 'PkiError', code: 'request' });
    }
  });
});

describe('a TLS handshake', () => {
  it('lets a node of the cluster in, under its name', async () => {
    const pki = await openPki({ folder, names });
    const own = await request('node-1');
    const certificate = await pki.signNodeCertificate(own.csrPem, node);
    expect(await shakeHands(pki, { ca: pki.caCertificatePem, cert: certificate, key: own.keyPem })).toBe('node-1');
  });

  it("refuses who has no certificate, one of a stranger, or the server's own", async () => {
    const pki = await openPki({ folder, names });
    const stranger = await openPki({ folder: join(base, 'stranger'), names });
    const own = await request('node-1');
    const foreign = await stranger.signNodeCertificate(own.csrPem, node);
    const ca = pki.caCertificatePem;
    expect(await shakeHands(pki, { ca })).toMatch(/^refused/);
    expect(await shakeHands(pki, { ca, cert: foreign, key: own.keyPem })).toMatch(/^refused/);
    expect(await shakeHands(pki, { ca, cert: pki.serverCertificatePem, key: pki.serverKeyPem })).toMatch(/^refused/);
  });

  it('is broken off by a client that trusts another CA, or wants another name', async () => {
    const pki = await openPki({ folder, names });
    const stranger = await openPki({ folder: join(base, 'stranger'), names });
    const own = await request('node-1');
    const cert = await pki.signNodeCertificate(own.csrPem, node);
    expect(await shakeHands(pki, { ca: stranger.caCertificatePem, cert, key: own.keyPem })).toMatch(/^refused/);
    expect(await shakeHands(pki, { ca: pki.caCertificatePem, cert, key: own.keyPem, servername: 'evil.example' })).toMatch(
      /^refused.*altnames/,
    );
  });

  it('shows the CA to who knows only its hash', async () => {
    const pki = await openPki({ folder, names });
    const server = createServer({ key: pki.serverKeyPem, cert: pki.serverChainPem }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect({ port: portOf(server.address()), host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const issuer = socket.getPeerX509Certificate()?.issuerCertificate;
    expect(
      createHash('sha256')
        .update(issuer?.raw ?? '')
        .digest('hex'),
    ).toBe(pki.caHash);
    socket.destroy();
    server.close();
  });
});

interface Hello {
  readonly ca: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

/** The common name under which the server greets the client, or "refused: why". */
async function shakeHands(pki: Pki, hello: Hello): Promise<string> {
  const server = createServer({
    key: pki.serverKeyPem,
    cert: pki.serverCertificatePem,
    ca: pki.caCertificatePem,
    requestCert: true,
    minVersion: 'TLSv1.3',
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    socket.on('error', () => socket.destroy());
    socket.end(new X509Certificate(socket.getPeerX509Certificate()?.raw ?? '').subject);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await greet(portOf(server.address()), hello);
  } finally {
    server.close();
  }
}

function greet(port: number, hello: Hello): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ servername: 'localhost', ...hello, port, host: '127.0.0.1' });
    let said = '';
    socket.on('data', (bytes: Buffer) => (said += bytes.toString()));
    socket.on('error', (error) => resolve(`refused: ${error.message}`));
    socket.on('close', () => resolve(said === '' ? 'refused' : said.replace('CN=', '')));
  });
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}

interface RequestOptions {
  readonly extensions?: Extension[];
  readonly algorithm?: { readonly name: string };
}

async function request(subject: string, options: RequestOptions = {}): Promise<{ readonly csrPem: string; readonly keyPem: string }> {
  const algorithm = options.algorithm ?? { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  if (!('privateKey' in keys)) throw new Error('no key pair');
  const csr = await Pkcs10CertificateRequestGenerator.create({
    name: subject.includes('=') ? subject : `CN=${subject}`,
    keys,
    signingAlgorithm: algorithm,
    extensions: options.extensions ?? [],
  });
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return { csrPem: csr.toString('pem'), keyPem: `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n` };
}

function daysLeft(pem: string, now: Date): number {
  return (new X509Certificate(pem).validToDate.getTime() - now.getTime()) / dayMs;
}

function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function opensslVerify(file: string, purpose: string): string {
  const trust = ['-CAfile', join(folder, 'ca.crt')];
  return execFileSync('openssl', ['verify', '-x509_strict', ...trust, '-purpose', purpose, join(folder, file)], {
    encoding: 'utf8',
    stdio: 'pipe',
  });
}
