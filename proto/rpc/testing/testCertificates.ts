/** Certificates for tests: a CA of their own, valid for an hour, keys on P-256. Not for anything that runs. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  type X509Certificate,
} from '@peculiar/x509';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export interface TestAuthority {
  readonly caPem: string;
  issue(commonName: string): Promise<{ readonly certificatePem: string; readonly keyPem: string }>;
}

export async function testAuthority(): Promise<TestAuthority> {
  const keys = await newKeys();
  const ca = await X509CertificateGenerator.createSelfSigned(
    { name: 'CN=test-ca', keys, signingAlgorithm: algorithm, ...validity(), extensions: [new BasicConstraintsExtension(true, 0, true)] },
    webcrypto,
  );
  return { caPem: ca.toString('pem'), issue: (commonName) => issue(ca, keys.privateKey, commonName) };
}

async function issue(ca: X509Certificate, signingKey: CryptoKey, commonName: string) {
  const keys = await newKeys();
  const names = new SubjectAlternativeNameExtension([
    { type: 'ip', value: '127.0.0.1' },
    { type: 'dns', value: 'localhost' },
  ]);
  const certificate = await X509CertificateGenerator.create(
    {
      subject: `CN=${commonName}`,
      issuer: ca.subject,
      publicKey: keys.publicKey,
      signingKey,
      signingAlgorithm: algorithm,
      ...validity(),
      extensions: [names],
    },
    webcrypto,
  );
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { certificatePem: certificate.toString('pem'), keyPem: PemConverter.encode(key, 'PRIVATE KEY') };
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

function validity(): { readonly notBefore: Date; readonly notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - 60_000), notAfter: new Date(now + 3_600_000) };
}
