import 'reflect-metadata';
import { Pkcs10CertificateRequest } from '@peculiar/x509';
import type { NodeName } from '#vocabulary/ids.ts';
import { PkiError } from './pkiError.ts';

/** A request with a key of ours is under 1 KiB; more is not worth parsing. */
const requestCharsMax = 16 * 1024;
const curves = ['P-256', 'P-384'];

/** The key of a request that its owner signed, for the node that it names. Everything else in it is ignored. Throws PkiError `request`. */
export async function checkedPublicKey(csrPem: string, node: NodeName): Promise<CryptoKey> {
  const request = parseRequest(csrPem);
  const publicKey = await keyOf(request);
  if (!(await isSigned(request))) throw new PkiError('request', 'the certificate request is not signed by its own key');
  const names = request.subjectName.getField('CN');
  if (names.length !== 1 || names[0] !== node) {
    throw new PkiError('request', `the certificate request is for "${names.join(', ')}", not for node "${node}"`);
  }
  return publicKey;
}

async function keyOf(request: Pkcs10CertificateRequest): Promise<CryptoKey> {
  const key = await exportedKey(request);
  const curve = 'namedCurve' in key.algorithm ? key.algorithm.namedCurve : key.algorithm.name;
  if (typeof curve === 'string' && curves.includes(curve)) return key;
  throw new PkiError('request', `the certificate request has a key of kind ${String(curve)}; ECDSA on ${curves.join(' or ')} is taken`);
}

async function exportedKey(request: Pkcs10CertificateRequest): Promise<CryptoKey> {
  try {
    return await request.publicKey.export();
  } catch (error) {
    throw new PkiError('request', 'the key of the certificate request cannot be read', error);
  }
}

function parseRequest(csrPem: string): Pkcs10CertificateRequest {
  if (csrPem.length > requestCharsMax) {
    throw new PkiError('request', `the certificate request has ${csrPem.length} characters; at most ${requestCharsMax} are read`);
  }
  try {
    return new Pkcs10CertificateRequest(csrPem);
  } catch (error) {
    throw new PkiError('request', 'the certificate request is no PKCS#10 in PEM', error);
  }
}

async function isSigned(request: Pkcs10CertificateRequest): Promise<boolean> {
  try {
    return await request.verify();
  } catch {
    return false;
  }
}
