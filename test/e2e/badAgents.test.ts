/** Who may not come in, and what it is told. Nothing changes when it tries. */
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { identityFiles } from '#agent/join/identityFiles.ts';
import { createTestCa } from '#agent/testing/testCertificates.ts';
import { agentProgram } from '#cli/rooms.ts';
import { AgentService, type HelloSchema } from '#gen/shoal/v1/agent_pb.js';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { connect } from '#rpc/connect.ts';
import { clientCredentials, type ClientTls } from '#rpc/credentials.ts';
import { assert } from '#vocabulary/assert.ts';
import { runCli } from './cli.ts';
import { Cluster } from './cluster.ts';
import { test } from './linuxTest.ts';
import { tail, type Program } from './program.ts';
import { waitUntil } from './waitUntil.ts';

let cluster: Cluster | null = null;

function ground(): Cluster {
  assert(cluster !== null, 'the cluster was started');
  return cluster;
}

beforeAll(async () => {
  cluster = await Cluster.make({ nodes: [{ name: 'n1' }] });
  await cluster.start();
});
afterAll(() => cluster?.clear());

const nodeNames = async (): Promise<readonly (string | undefined)[]> => {
  const { resources } = await ground().client.list({ kind: 'Node' });
  return resources.map(({ object }) => (object.case === 'node' ? object.value.metadata?.name : undefined));
};

/** What `agent join` says with this token, and that it leaves nothing behind and tells no secret. */
async function joinWith(node: string, token: string): Promise<string> {
  const data = ground().nodeData(node);
  const words = ['join', '--data', data, '--controller', ground().ready.control, '--node', node];
  const joining = await ground().run(node, [process.execPath, agentProgram, ...words], { SHOAL_JOIN_TOKEN: token });
  expect(await joining.ended).toBe('ended with code 1');
  expect(await readdir(data).catch(() => [])).toEqual([]);
  const said = await readFile(joining.logFile, 'utf8');
  expect(said).not.toContain(token);
  return said;
}

test('a join token that is wrong, used, of another cluster, or none at all lets nobody in', async () => {
  const { token } = await ground().client.createJoinToken({});
  const [prefix = '', id = '', secret = '', caHash = ''] = token.split('.');
  const { revision } = await ground().client.info({});
  const otherHash = caHash.replaceAll(/[0-9]/g, '7');
  expect(await joinWith('thief', [prefix, id, `${secret.slice(0, -4)}AAAA`, caHash].join('.'))).toBe(
    'shoal agent: the join token is not valid\n',
  );
  expect(await joinWith('thief', [prefix, 'nobody', secret, caHash].join('.'))).toBe('shoal agent: the join token is not valid\n');
  expect(await joinWith('thief', [prefix, id, secret, otherHash].join('.'))).toMatch(
    new RegExp(
      `^shoal agent: ${ground().ready.control} is not the controller that made this join token: it presented [0-9a-f]{64}, ${caHash}, the token names CA ${otherHash}\\n$`,
    ),
  );
  expect(await joinWith('thief', 'please')).toBe(
    'shoal agent: the join token is not of the form shoal-join.<id>.<secret>.<CA hash>; make one with `shoal agent token`\n',
  );
  expect((await ground().client.info({})).revision).toBe(revision);

  const words = ['join', '--data', ground().nodeData('friend'), '--controller', ground().ready.control, '--node', 'friend'];
  const joining = await ground().run('friend', [process.execPath, agentProgram, ...words], { SHOAL_JOIN_TOKEN: token });
  expect(await joining.ended).toBe('ended with code 0');
  expect(await joinWith('thief', token)).toBe('shoal agent: the join token was used by another node\n');
  expect(await nodeNames()).toEqual(['n1']);
});

test('a stranger with a certificate of another authority gets no session, and an agent does not talk to a strange controller', async () => {
  const stranger = await createTestCa();
  const { certificatePem, keyPem } = await stranger.issue('n1');
  const { caPem } = ground().context;
  const { revision } = await ground().client.info({});
  // Turned away in the handshake: TLS 1.3 has no words for why.
  expect(await hello({ caPem, certificatePem, keyPem }, { node: 'n1', protocolVersion: 1 })).toMatchObject({ code: 'UNAVAILABLE' });

  const join = async (name: string, trusted: string): Promise<Program> => {
    const data = ground().nodeData(name);
    await mkdir(data);
    const files = identityFiles(data);
    await writeFile(files.key, keyPem, { mode: 0o600 });
    await writeFile(files.certificate, certificatePem);
    await writeFile(files.ca, trusted);
    return ground().run(name, [
      process.execPath,
      agentProgram,
      'run',
      '--data',
      data,
      '--node',
      'n1',
      '--controller',
      ground().ready.agents,
    ]);
  };
  const mixed = await join('mixed', caPem);
  expect(await mixed.ended).toBe('ended with code 1');
  const { certificate, ca } = identityFiles(ground().nodeData('mixed'));
  expect(await readFile(mixed.logFile, 'utf8')).toBe(
    `shoal agent: this node has not joined a cluster (${certificate} was not signed by ${ca}: they are of different clusters); run the join command first\n`,
  );

  const elsewhere = await join('elsewhere', stranger.pem);
  const look = async (): Promise<string | undefined> => /"why":"(.*?)","failures"/.exec(await readFile(elsewhere.logFile, 'utf8'))?.[1];
  const why = await waitUntil(look, { what: 'the agent says why it has no session', seen: () => tail(elsewhere.logFile) });
  await elsewhere.stop();
  expect(why).toContain('self-signed certificate in certificate chain');
  expect((await ground().client.info({})).revision).toBe(revision);
});

/** How a session that begins so ends: the case of its first answer, or the error. */
async function hello(tls: ClientTls, message: MessageInitShape<typeof HelloSchema>): Promise<unknown> {
  const client = connect(AgentService, { address: ground().ready.agents, credentials: clientCredentials(tls) });
  async function* requests(): AsyncGenerator<{ message: { case: 'hello'; value: typeof message } }> {
    yield { message: { case: 'hello', value: message } };
    await new Promise((resolve) => setTimeout(resolve, 5000).unref());
  }
  try {
    for await (const response of client.session(requests(), { deadlineMs: 5000 })) return response.message.case;
    return 'ended';
  } catch (error) {
    return error;
  } finally {
    client.close();
  }
}

async function identityOf(node: string): Promise<ClientTls> {
  const files = identityFiles(ground().nodeData(node));
  const [keyPem, certificatePem, caPem] = await Promise.all([files.key, files.certificate, files.ca].map((file) => readFile(file, 'utf8')));
  assert(keyPem !== undefined && certificatePem !== undefined && caPem !== undefined, `${node} has joined`);
  return { keyPem, certificatePem, caPem };
}

test('an agent of another protocol version, or one that speaks for another node, is refused by name', async () => {
  const { revision } = await ground().client.info({});
  expect(await hello(await identityOf('n1'), { node: 'n1', protocolVersion: 2, agentVersion: '9.9.9' })).toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: "agent 9.9.9 of node n1 speaks protocol 2; this controller (0.1.0) speaks 1: install an agent of the controller's version",
  });
  expect(await hello(await identityOf('n1'), { node: 'n2', protocolVersion: 1, agentVersion: '0.1.0' })).toMatchObject({
    code: 'PERMISSION_DENIED',
    message: 'node: the hello names "n2", the certificate is for "n1"',
  });
  expect((await ground().client.info({})).revision).toBe(revision);
  expect(await nodeNames()).toEqual(['n1']);
});

test('two agents of one node: the second one on the same data folder does not start', async () => {
  const words = ['run', '--data', ground().nodeData('n1'), '--node', 'n1'];
  const second = await ground().run('second', [process.execPath, agentProgram, ...words]);
  expect(await second.ended).toBe('ended with code 1');
  expect(await readFile(second.logFile, 'utf8')).toBe(
    `shoal agent: ${ground().nodeData('n1')}/agent.lock is held by the agent with pid ${ground().agent('n1').pid}; a data folder serves one agent\n`,
  );
});

test('a person with a wrong token, or none, reads and changes nothing', async () => {
  const config = join(ground().folder, 'wrong-config');
  await copyFile(join(ground().folder, 'config'), config);
  const text = await readFile(config, 'utf8');
  const env = { ...ground().env, SHOAL_CONFIG: config };
  const outsider = { env, work: ground().work };
  const notValid = 'the token is not valid, or has run out';
  const tokens: Readonly<Record<string, string>> = {
    [`${ground().context.token.slice(0, -4)}AAAA`]: notValid,
    'shoal.nobody.secret': notValid,
    '': 'no token, or not one of the form `shoal.<id>.<secret>`; run `shoal up`, or `shoal config set-context` with a token',
  };
  for (const [token, why] of Object.entries(tokens)) {
    await writeFile(config, text.replace(ground().context.token, token));
    const hint = 'The token of this context is missing or no longer valid. See: shoal config view';
    for (const words of [
      ['get', 'nodes'],
      ['cordon', 'n1'],
    ]) {
      const said = await runCli(outsider, words);
      expect([words, said]).toEqual([words, { exitCode: 4, stdout: '', stderr: `Error from server (Unauthorized): ${why}\n${hint}\n` }]);
    }
  }
  const { resources } = await ground().client.list({ kind: 'Node' });
  expect(resources.map(({ object }) => object.case === 'node' && object.value.status?.cordon)).toEqual([undefined]);
});
