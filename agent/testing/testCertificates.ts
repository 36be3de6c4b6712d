/** A cluster CA of a test, and certificates that it signs. */
import 'reflect-metadata';
import {
  BasicConstraintsExtension,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  type X509Certificate,
} from '@peculiar/x509';
import { webcrypto } from 'node:crypto';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const validity = { notBefore: new Date('2020-01-01T00:00:00Z'), notAfter: new Date('2050-01-01T00:00:00Z') };

export interface TestCa {
  readonly certificate: X509Certificate;
  readonly pem: string;
  /** For 127.0.0.1, with this common name. The chain holds the CA. */
  issue(commonName: string): Promise<{ readonly certificatePem: string; readonly keyPem: string }>;
  sign(csrPem: string): Promise<string>;
}

export async function createTestCa(): Promise<TestCa> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      name: 'CN=test-ca',
      keys,
      signingAlgorithm: algorithm,
      ...validity,
      serialNumber: '01',
      extensions: [new BasicConstraintsExtension(true, undefined, true)],
    },
    webcrypto,
  );
  const pem = `${certificate.toString('pem')}\n`;
  let serial = 1;
  const make = async (subject: string, publicKey: CryptoKey): Promise<string> => {
    serial += 1;
    const made = await X509CertificateGenerator.create(
      {
        subject,
        issuer: certificate.subject,
        publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: algorithm,
        ...validity,
        serialNumber: serial.toString(16).padStart(2, '0'),
        extensions: [new SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
      },
      webcrypto,
    );
    return `${made.toString('pem')}\n${pem}`;
  };
  return {
    certificate,
    pem,
    async issue(commonName) {
      const own = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
      const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', own.privateKey)).toString('base64');
      const keyPem = `-----BEGIN PRIVATE KEY-----\n${(pkcs8.match(/.{1,64}/g) ?? []).join('\n')}\n-----END PRIVATE KEY-----\n`;
      return { certificatePem: await make(`CN=${commonName}`, own.publicKey), keyPem };
    },
    async sign(csrPem) {
      const request = new Pkcs10CertificateRequest(csrPem);
      if (!(await request.verify(webcrypto))) throw new Error('the request is not signed by its key');
      return await make(request.subject, await request.publicKey.export(webcrypto));
    },
  };
}
