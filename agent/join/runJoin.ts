/** Makes a node part of a cluster: its key never leaves it; the controller signs a certificate for a join token. */
import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { EnrollmentService } from '#gen/shoal/v1/control_pb.js';
import { connect } from '#rpc/connect.ts';
import { clientCredentials } from '#rpc/credentials.ts';
import { identityFiles } from './identityFiles.ts';
import { makeCertificateRequest } from './certificateRequest.ts';
import { parseToken } from './parseToken.ts';
import { fetchPinnedCa } from './pinnedCa.ts';

export interface JoinOptions {
  readonly dataFolder: string;
  readonly node: string;
  /** host:port of the control API. */
  readonly controller: string;
  readonly token: string;
}

const joinDeadlineMs = 30_000;

/** Writes key, certificate, CA and the agents' address to the data folder. Answers that address. Throws with why not. */
export async function runJoin({ dataFolder, node, controller, token }: JoinOptions): Promise<string> {
  const parsed = parseToken(token);
  if (parsed === undefined)
    throw new Error('the join token is not of the form shoal-join.<id>.<secret>.<CA hash>; make one with `shoal agent token`');
  const pinnedCaPem = await fetchPinnedCa(controller, parsed.caSha256);
  const { keyPem, csrPem } = await makeCertificateRequest(node);
  const client = connect(EnrollmentService, { address: controller, credentials: clientCredentials({ caPem: pinnedCaPem }) });
  try {
    const joined = await client.join({ token: parsed.text, csrPem, node }, { deadlineMs: joinDeadlineMs });
    const files = identityFiles(dataFolder);
    await mkdir(dataFolder, { recursive: true, mode: 0o711 });
    await writeDurably(files.key, keyPem, 0o600);
    await writeDurably(files.certificate, joined.certificatePem, 0o644);
    await writeDurably(files.ca, joined.caPem, 0o644);
    await writeDurably(files.controller, `${JSON.stringify({ node, agentAddress: joined.agentAddress })}\n`, 0o644);
    return joined.agentAddress;
  } finally {
    client.close();
  }
}

/** The file is the old one or the new one, never a part. */
async function writeDurably(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', mode);
  try {
    await file.chmod(mode);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const folder = await open(join(path, '..'), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
