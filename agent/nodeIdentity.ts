import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ClientTls } from '#rpc/credentials.ts';
import { identityFiles } from './join/identityFiles.ts';

export interface NodeIdentity {
  readonly tls: ClientTls;
  /** The node's name in the cluster; null: the folder does not tell. */
  readonly node: string | null;
  /** host:port of the controller's listener for agents, as told when joining. */
  readonly agentAddress: string | null;
}

/** Throws when the folder does not hold what joining leaves there. */
export async function readIdentity(dataFolder: string): Promise<NodeIdentity> {
  const files = identityFiles(dataFolder);
  try {
    const [keyPem, certificatePem, caPem] = await Promise.all([
      readFile(files.key, 'utf8'),
      readFile(files.certificate, 'utf8'),
      readFile(files.ca, 'utf8'),
    ]);
    checkIssuer({ certificatePem, caPem }, files);
    const told: unknown = JSON.parse(await readFile(files.controller, 'utf8').catch(() => '{}'));
    return { tls: { keyPem, certificatePem, caPem }, node: textOf(told, 'node'), agentAddress: textOf(told, 'agentAddress') };
  } catch (error) {
    throw new Error(
      `this node has not joined a cluster (${error instanceof Error ? error.message : String(error)}); run the join command first`,
    );
  }
}

/** The controller could only break off the handshake, without a word why. Throws. */
function checkIssuer(
  { certificatePem, caPem }: { readonly certificatePem: string; readonly caPem: string },
  files: ReturnType<typeof identityFiles>,
): void {
  const own = new X509Certificate(certificatePem);
  const authority = new X509Certificate(caPem);
  if (own.checkIssued(authority) && own.verify(authority.publicKey)) return;
  throw new Error(`${files.certificate} was not signed by ${files.ca}: they are of different clusters`);
}

function textOf(value: unknown, name: string): string | null {
  if (typeof value !== 'object' || value === null) return null;
  const found: unknown = Object.entries(value).find(([key]) => key === name)?.[1];
  return typeof found === 'string' && found !== '' ? found : null;
}
