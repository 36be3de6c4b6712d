import { createHash, X509Certificate } from 'node:crypto';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openPki, type Pki } from './pki.ts';

const dayMs = 24 * 60 * 60 * 1_000;
const names = ['head.example', '10.1.2.3'];

let base: string;
let folder: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'shoal-pki-'));
  folder = join(base, 'pki');
});
afterEach(() => rmSync(base, { recursive: true }));

describe('the cluster CA', () => {
  it('is made on the first start and stays', async () => {
    const first = await openPki({ folder, names });
    const second = await openPki({ folder, names });
    expect(textOf(second)).toEqual(textOf(first));
    expect(first.caHash).toBe(createHash('sha256').update(new X509Certificate(first.caCertificatePem).raw).digest('hex'));
    expect(first.serverChainPem).toBe(first.serverCertificatePem + first.caCertificatePem);
  });

  it('keeps its keys for their owner only', async () => {
    await openPki({ folder, names });
    const modes = ['', 'ca.key', 'server.key'].map((name) => (statSync(join(folder, name)).mode & 0o777).toString(8));
    expect(modes).toEqual(['700', '600', '600']);
    expect(readdirSync(folder).toSorted()).toEqual(['ca.crt', 'ca.key', 'server.crt', 'server.key']);
  });
});

describe('the certificate of the server', () => {
  it('is for loopback and the given names, however they are written', async () => {
    const pki = await openPki({ folder, names: ['Head.Example.', '2001:DB8::0:7', '10.1.2.3', 'localhost'] });
    expect(new X509Certificate(pki.serverCertificatePem).subjectAltName?.split(', ').toSorted()).toEqual([
      'DNS:head.example',
      'DNS:localhost',
      'IP Address:0:0:0:0:0:0:0:1',
      'IP Address:10.1.2.3',
      'IP Address:127.0.0.1',
      'IP Address:2001:DB8:0:0:0:0:0:7',
    ]);
    const again = await openPki({ folder, names: ['10.1.2.3', '2001:db8::7', 'head.example'] });
    expect(again.serverCertificatePem).toBe(pki.serverCertificatePem);
  });

  it('is made anew when names changed, with the same key and CA', async () => {
    const before = await openPki({ folder, names });
    const after = await openPki({ folder, names: ['other.example'] });
    expect(after.caHash).toBe(before.caHash);
    expect(after.serverKeyPem).toBe(before.serverKeyPem);
    expect(new X509Certificate(after.serverCertificatePem).subjectAltName).not.toContain('head.example');
  });

  it('is made anew with less than 30 days left, and not before', async () => {
    const start = Date.parse('2030-01-01T00:00:00Z');
    const at = (days: number): Promise<Pki> => openPki({ folder, names, now: () => new Date(start + days * dayMs) });
    const first = await at(0);
    expect((await at(335)).serverCertificatePem).toBe(first.serverCertificatePem);
    const renewed = await at(335.1);
    expect(daysLeft(renewed.serverCertificatePem, new Date(start))).toBeGreaterThan(700);
  });

  it('is made anew when another CA signed it', async () => {
    await openPki({ folder, names });
    await openPki({ folder: join(base, 'other'), names });
    for (const name of ['ca.key', 'ca.crt']) copyFileSync(join(base, 'other', name), join(folder, name));
    const pki = await openPki({ folder, names });
    expect(new X509Certificate(pki.serverCertificatePem).verify(new X509Certificate(pki.caCertificatePem).publicKey)).toBe(true);
  });

  it.each(['https://head', 'head:7070', '', 'two words', '-head', 'a..b', '1.2.3.4/8'])('is not for "%s"', async (name) => {
    await expect(openPki({ folder, names: [name] })).rejects.toMatchObject({
      code: 'names',
      message: expect.stringContaining(`"${name}"`),
    });
  });
});

describe('files that do not fit together', () => {
  const damages: readonly (readonly [string, () => Promise<void> | void, string])[] = [
    ['the CA has another key', () => swap('ca.key'), 'ca.key and .*ca.crt do not belong together'],
    ['the server has another key', () => swap('server.key'), 'server.key and .*server.crt do not belong together'],
    ['the key of the CA is missing', () => rmSync(join(folder, 'ca.key')), 'ca.key is missing'],
    ['the certificate of the CA is missing', () => rmSync(join(folder, 'ca.crt')), 'ca.crt is missing'],
    ['the key of the server is missing', () => rmSync(join(folder, 'server.key')), 'server.key is missing'],
    [
      'a key is cut off',
      () => writeFileSync(join(folder, 'ca.key'), '-----BEGIN PRIVATE KEY-----\nMIG'),
      'ca.key is no private key in PEM',
    ],
    [
      'a certificate is cut off',
      () => writeFileSync(join(folder, 'ca.crt'), '-----BEGIN CERTIFICATE-----\nMIG'),
      'ca.crt is no certificate in PEM',
    ],
    ['a certificate is empty', () => writeFileSync(join(folder, 'server.crt'), ''), 'server.crt is no certificate in PEM'],
  ];
  it.each(damages)('are refused and left alone: %s', async (_name, damage, want) => {
    await openPki({ folder, names });
    await damage();
    const before = contents();
    await expect(openPki({ folder, names })).rejects.toMatchObject({ code: 'files', message: expect.stringMatching(new RegExp(want)) });
    await expect(openPki({ folder, names })).rejects.toThrow('Nothing was changed.');
    expect(contents()).toEqual(before);
  });

  it('are a first start when only the key of a CA is there, which signed nothing yet', async () => {
    await openPki({ folder, names });
    for (const name of ['ca.crt', 'server.key', 'server.crt']) rmSync(join(folder, name));
    const keyPem = readFileSync(join(folder, 'ca.key'), 'utf8');
    const pki = await openPki({ folder, names });
    expect(readFileSync(join(folder, 'ca.key'), 'utf8')).toBe(keyPem);
    expect(new X509Certificate(pki.caCertificatePem).ca).toBe(true);
  });

  it('are refused once the CA has run out', async () => {
    await openPki({ folder, names, now: () => new Date('2010-01-01T00:00:00Z') });
    await expect(openPki({ folder, names })).rejects.toThrow(/ca.crt ran out on 2019-12-30/);
  });
});

async function swap(file: string): Promise<void> {
  await openPki({ folder: join(base, 'swap'), names });
  copyFileSync(join(base, 'swap', file), join(folder, file));
}

function contents(): Record<string, string> {
  return Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

function textOf(pki: Pki): readonly string[] {
  return [pki.caHash, pki.caCertificatePem, pki.serverCertificatePem, pki.serverKeyPem];
}

function daysLeft(pem: string, now: Date): number {
  return (new X509Certificate(pem).validToDate.getTime() - now.getTime()) / dayMs;
}
