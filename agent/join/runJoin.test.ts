import 'reflect-metadata';
import { X509Certificate } from '@peculiar/x509';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EnrollmentService } from '#gen/shoal/v1/control_pb.js';
import { serverCredentials } from '#rpc/credentials.ts';
import { RpcError } from '#rpc/rpcError.ts';
import { addService, createServer, listen } from '#rpc/serve.ts';
import { createTestCa, type TestCa } from '../testing/testCertificates.ts';
import { runJoin } from './runJoin.ts';

let folder = '';
let ca: TestCa;
let controller = '';
let tokens: string[] = [];
let close = (): void => undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shoal-join-'));
  ca = await createTestCa();
  tokens = [];
  const server = createServer();
  addService(server, EnrollmentService, {
    async join({ token, csrPem }) {
      tokens.push(token);
      if (!token.includes('right')) throw new RpcError('UNAUTHENTICATED', 'the join token is not known');
      return { certificatePem: await ca.sign(csrPem), caPem: ca.pem, agentAddress: '127.0.0.1:1' };
    },
  });
  const identity = await ca.issue('controller');
  const port = await listen(server, {
    host: '127.0.0.1',
    port: 0,
    credentials: serverCredentials({ ...identity, caPem: ca.pem, requireClientCertificate: false }),
  });
  controller = `127.0.0.1:${port}`;
  close = () => server.forceShutdown();
});
afterEach(async () => {
  close();
  await rm(folder, { recursive: true, force: true });
});

const hashOf = (authority: TestCa): string => createHash('sha256').update(Buffer.from(authority.certificate.rawData)).digest('hex');
const joinWith = (token: string) => runJoin({ dataFolder: join(folder, 'data'), node: 'n1', controller, token });

describe('join', () => {
  it('leaves a key that only its owner reads, a certificate that names the node, and where the controller is', async () => {
    expect(await joinWith(`shoal-join.id1.right.${hashOf(ca)}\n`)).toBe('127.0.0.1:1');
    const file = (name: string) => join(folder, 'data', name);
    expect((await stat(file('node.key'))).mode & 0o777).toBe(0o600);
    expect(new X509Certificate(await readFile(file('node.crt'), 'utf8')).subject).toBe('CN=n1');
    expect(await readFile(file('ca.crt'), 'utf8')).toBe(ca.pem);
    expect(JSON.parse(await readFile(file('controller.json'), 'utf8'))).toEqual({ node: 'n1', agentAddress: '127.0.0.1:1' });
  });

  it('shows its token to nobody but the controller that made it', async () => {
    await expect(joinWith(`shoal-join.id1.right.${hashOf(await createTestCa())}`)).rejects.toThrow(
      /not the controller that made this join token/,
    );
    expect(tokens).toEqual([]);
  });

  it('writes nothing when the token is refused, and does not repeat its secret', async () => {
    const error: unknown = await joinWith(`shoal-join.id1.wrong.${hashOf(ca)}`).catch((each: unknown) => each);
    expect(String(error)).toContain('the join token is not known');
    expect(String(error)).not.toContain('id1.wrong');
    await expect(stat(join(folder, 'data'))).rejects.toThrow(/ENOENT/);
  });

  it('refuses what is no token, and what is no address', async () => {
    await expect(joinWith('hunter2')).rejects.toThrow(/not of the form/);
    await expect(
      runJoin({ dataFolder: folder, node: 'n1', controller: 'nowhere', token: `shoal-join.a.b.${'0'.repeat(64)}` }),
    ).rejects.toThrow(/"nowhere" is not host:port/);
  });
});
