import 'reflect-metadata';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import type { ServerName } from './serverNames.ts';

/**
 * The three certificates of a cluster, by RFC 5280: ECDSA P-256 with SHA-256, a CA that may sign leaves only, leaves that may
 * do one thing only. Keys and times come from the caller.
 */
const dayMs = 24 * 60 * 60 * 1_000;
const authorityDays = 3_650;
const serverDays = 365;
const nodeDays = 90;
/** Clocks of nodes may run behind the controller's. */
const backdatedMs = 5 * 60 * 1_000;

const curve = { name: 'ECDSA', namedCurve: 'P-256' };
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' };

/** Who signs: its certificate and the key that belongs to it. */
export interface Authority {
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
}

export function newPrivateKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

export async function issueAuthority(key: KeyObject, now: Date): Promise<string> {
  const publicKey = publicHalf(key);
  // The serial in the name tells two clusters' CAs apart in messages of other tools.
  const name = [{ CN: [`Shoal cluster CA ${randomBytes(4).toString('hex')}`] }];
  const certificate = await X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: name,
    issuer: name,
    notBefore: new Date(now.getTime() - backdatedMs),
    notAfter: after(now, authorityDays),
    signingAlgorithm,
    publicKey,
    signingKey: signingHalf(key),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return withNewline(certificate.toString('pem'));
}

export async function issueServer(
  authority: Authority,
  server: { readonly key: KeyObject; readonly names: readonly ServerName[] },
  now: Date,
): Promise<string> {
  return issueLeaf(authority, {
    commonName: 'shoal-controller',
    publicKey: publicHalf(server.key),
    notAfter: after(now, serverDays),
    now,
    extensions: [
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(server.names.map(({ type, value }) => ({ type, value }))),
    ],
  });
}

export async function issueNode(
  authority: Authority,
  node: { readonly name: string; readonly publicKey: CryptoKey },
  now: Date,
): Promise<string> {
  return issueLeaf(authority, {
    commonName: node.name,
    publicKey: node.publicKey,
    notAfter: after(now, nodeDays),
    now,
    extensions: [new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth])],
  });
}

interface Leaf {
  readonly commonName: string;
  readonly publicKey: CryptoKey;
  readonly now: Date;
  readonly notAfter: Date;
  readonly extensions: readonly Extension[];
}

async function issueLeaf(authority: Authority, leaf: Leaf): Promise<string> {
  const end = new Date(Math.min(leaf.notAfter.getTime(), authority.certificate.notAfter.getTime()));
  const certificate = await X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: [{ CN: [leaf.commonName] }],
    issuer: authority.certificate.subjectName,
    notBefore: new Date(leaf.now.getTime() - backdatedMs),
    notAfter: end,
    signingAlgorithm,
    publicKey: leaf.publicKey,
    signingKey: signingHalf(authority.key),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      ...leaf.extensions,
      await SubjectKeyIdentifierExtension.create(leaf.publicKey),
      await AuthorityKeyIdentifierExtension.create(publicHalf(authority.key)),
    ],
  });
  return withNewline(certificate.toString('pem'));
}

function signingHalf(key: KeyObject): CryptoKey {
  return key.toCryptoKey(curve, false, ['sign']);
}

function publicHalf(key: KeyObject): CryptoKey {
  return createPublicKey(key).toCryptoKey(curve, true, ['verify']);
}

function after(now: Date, days: number): Date {
  return new Date(now.getTime() + days * dayMs);
}

/** 16 random octets, positive (RFC 5280 4.1.2.2: at most 20, never negative). */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes.readUInt8(0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

function withNewline(pem: string): string {
  return pem.endsWith('\n') ? pem : `${pem}\n`;
}
