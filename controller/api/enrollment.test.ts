import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failureOf } from '#controller/testing/failureOf.ts';
import type { RunningApi } from '#controller/testing/runApi.ts';
import { callContext, runApi } from '#controller/testing/runApi.ts';
import { CreateJoinTokenRequestSchema, CreateJoinTokenResponseSchema, JoinRequestSchema } from '#gen/shoal/v1/control_pb.js';
import { enrollmentHandlers } from './enrollment.ts';

let api: RunningApi;
beforeEach(async () => {
  api = await runApi();
});
afterEach(() => api.stop());

async function makeToken(ttlSeconds = 0): Promise<string> {
  return create(
    CreateJoinTokenResponseSchema,
    await api.control.createJoinToken(create(CreateJoinTokenRequestSchema, { ttlSeconds }), api.alice),
  ).token;
}

/** What the node is given, or the refusal. */
async function join(token: string, node = 'n1', csrPem = 'a good request'): Promise<string> {
  const sign = (request: string, name: string): Promise<string> =>
    request.includes('good') ? Promise.resolve(`certificate of ${name}`) : Promise.reject(new Error('its name is not n1'));
  const { join: handle } = enrollmentHandlers({ loop: api.loop, caPem: 'the CA', agentAddress: () => '127.0.0.1:7071', sign });
  return handle(create(JoinRequestSchema, { token, node, csrPem }), callContext({})).then(
    ({ certificatePem, caPem, agentAddress }) => `${certificatePem}, ${caPem}, ${agentAddress}`,
    failureOf,
  );
}

describe('a join token', () => {
  test('names its id, its secret and the CA, and lets one node in', async () => {
    const token = await makeToken();
    expect(token).toMatch(/^shoal-join\.[0-9a-f]{12}\.[\w-]{43}\.cafe$/);
    expect(await join(token)).toBe('certificate of n1, the CA, 127.0.0.1:7071');
  });

  test('lets the same node in again, whose answer may have been lost, and no other one', async () => {
    const token = await makeToken();
    expect(await join(token)).toMatch(/^certificate/);
    expect(await join(token)).toMatch(/^certificate/);
    expect(await join(token, 'n2')).toBe('UNAUTHENTICATED: the join token was used by another node');
  });

  test('is not spent on a request that cannot be signed', async () => {
    const token = await makeToken();
    expect(await join(token, 'n1', 'a bad request')).toBe('INVALID_ARGUMENT: csr_pem: its name is not n1');
    expect(await join(token, 'n2')).toBe('certificate of n2, the CA, 127.0.0.1:7071');
  });

  test('runs out', async () => {
    const token = await makeToken(60);
    await api.clock.pass(60_001);
    expect(await join(token)).toBe('UNAUTHENTICATED: the join token has run out; make a new one with `shoal agent token`');
  });

  test('of another form, or with a wrong secret, is refused', async () => {
    const [prefix, id, secret, hash] = (await makeToken()).split('.');
    expect(await join('')).toBe('UNAUTHENTICATED: token: not a join token (shoal-join.…); make one with `shoal agent token`');
    expect(await join(`shoal.${id}.${secret}`)).toMatch(/^UNAUTHENTICATED: token: not a join token/);
    expect(await join(`${prefix}.${id}.${secret}x.${hash}`)).toBe('UNAUTHENTICATED: the join token is not valid');
    expect(await join(`${prefix}.000.${secret}.${hash}`)).toBe('UNAUTHENTICATED: the join token is not valid');
  });

  test.each(['', 'N1', 'n1/..', '-n1', 'n'.repeat(64)])('is no way in for a node called "%s"', async (node) => {
    expect(await join(await makeToken(), node)).toMatch(/^INVALID_ARGUMENT: node: ".*" is no name/);
  });

  test('lives a quarter of an hour unless told, and a day at most', async () => {
    const response = await api.control.createJoinToken(create(CreateJoinTokenRequestSchema, {}), api.alice);
    expect(response.ttlSeconds).toBe(900);
    await expect(makeToken(86_401)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'ttl_seconds: 86401 is given; at most 86400 (one day)',
    });
  });

  test('is kept as a hash only', async () => {
    const secret = (await makeToken()).split('.')[2] ?? 'none';
    const kept = await api.loop.read((state) => JSON.stringify([...state.tokens.values()]));
    expect(kept).not.toContain(secret);
  });
});
