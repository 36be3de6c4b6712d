import { describe, expect, test } from 'vitest';
import { failureOf } from '#controller/testing/failureOf.ts';
import { callContext, runApi } from '#controller/testing/runApi.ts';
import type { CallContext } from '#rpc/call.ts';
import { userName } from '#vocabulary/ids.ts';
import { makeToken } from './access.ts';

/** An API with two tokens of bob, one for an hour. */
async function withTokens() {
  const api = await runApi();
  const issue = async (purpose: 'user' | 'join', lifeMs: number | null): Promise<string> => {
    const { secret, facts } = makeToken(purpose, userName('bob'), lifeMs === null ? null : api.clock.nowMs() + lifeMs);
    await api.loop.offer({ kind: 'issueToken', token: facts });
    return `${facts.id}.${secret}`;
  };
  const answerTo = async (authorization: string | null): Promise<string> => {
    const context: CallContext = {
      ...callContext({}),
      metadata: new Map(authorization === null ? [] : [['authorization', authorization]]),
    };
    return api.access.intercept('', context).then(() => api.access.callerOf(context).user, failureOf);
  };
  return { ...api, issue, answerTo };
}

const notAToken =
  'UNAUTHENTICATED: no token, or not one of the form `shoal.<id>.<secret>`; run `shoal up`, or `shoal config set-context` with a token';
const notValid = 'UNAUTHENTICATED: the token is not valid, or has run out';

describe('who calls', () => {
  test('is the user that the token was issued to', async () => {
    const { issue, answerTo, stop } = await withTokens();
    const token = await issue('user', null);
    expect(await answerTo(`Bearer shoal.${token}`)).toBe('bob');
    expect(await answerTo(`bearer shoal.${token}`)).toBe('bob');
    await stop();
  });

  test('is refused without a token, and with one of another form', async () => {
    const { issue, answerTo, stop } = await withTokens();
    const token = await issue('user', null);
    const wrong = [
      null,
      '',
      'Bearer',
      'Bearer ',
      `Basic shoal.${token}`,
      `shoal.${token}`,
      `Bearer ${token}`,
      `Bearer other.${token}`,
      `Bearer shoal.${token}.more`,
    ];
    for (const authorization of wrong) expect(await answerTo(authorization), String(authorization)).toBe(notAToken);
    await stop();
  });

  test('is refused with a wrong secret, an unknown id and an empty secret, by the same words', async () => {
    const { issue, answerTo, stop } = await withTokens();
    const [id, secret] = (await issue('user', null)).split('.');
    for (const token of [`${id}.${secret}x`, `${id}.`, `000000000000.${secret}`, `${id}.${secret?.toUpperCase()}`]) {
      expect(await answerTo(`Bearer shoal.${token}`), token).toBe(notValid);
    }
    await stop();
  });

  test('is refused when the token has run out, to the millisecond', async () => {
    const { issue, answerTo, clock, stop } = await withTokens();
    const token = await issue('user', 3_600_000);
    await clock.pass(3_599_999);
    expect(await answerTo(`Bearer shoal.${token}`)).toBe('bob');
    await clock.pass(1);
    expect(await answerTo(`Bearer shoal.${token}`)).toBe(notValid);
    await stop();
  });

  test('cannot be a node with its join token', async () => {
    const { issue, answerTo, stop } = await withTokens();
    const token = await issue('join', null);
    expect(await answerTo(`Bearer shoal.${token}`)).toBe(notValid);
    expect(await answerTo(`Bearer shoal-join.${token}.cafe`)).toBe(notAToken);
    await stop();
  });

  test('must have been asked: a handler that was reached another way has no caller', async () => {
    const { access, stop } = await withTokens();
    expect(() => access.callerOf(callContext({}))).toThrow('the call was not authenticated');
    await stop();
  });
});

test('a token’s secret is never kept, only its hash', async () => {
  const { secret, facts } = makeToken('user', userName('bob'), null);
  expect(JSON.stringify(facts)).not.toContain(secret);
  expect(facts.secretHash).toMatch(/^[0-9a-f]{64}$/);
  expect(Buffer.from(secret, 'base64url').length).toBe(32);
  expect(makeToken('user', userName('bob'), null).secret).not.toBe(secret);
});
