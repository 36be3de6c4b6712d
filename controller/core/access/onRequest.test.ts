import { describe, expect, test } from 'vitest';
import type { TokenFacts } from '#core/events.ts';
import { FakeCluster } from '#test/simulation/fakeCluster.ts';
import { nodeName, userName } from '#vocabulary/ids.ts';

const token = (id: string, changes: Partial<TokenFacts> = {}): TokenFacts => ({
  id,
  purpose: 'join',
  secretHash: `hash of ${id}`,
  user: userName('alice'),
  expiresAtMs: null,
  ...changes,
});
const issue = (facts: TokenFacts) => ({ kind: 'issueToken' as const, token: facts });
const redeem = (id: string, node = 'n1', secretHash = `hash of ${id}`) => ({
  kind: 'redeemJoinToken' as const,
  id,
  secretHash,
  node: nodeName(node),
});

function cluster(...tokens: readonly TokenFacts[]) {
  const one = new FakeCluster([]);
  one.step(tokens.map(issue));
  const ask = (...input: Parameters<typeof redeem>): string => {
    const [reply] = one.step([redeem(...input)]);
    return reply?.kind === 'refused' ? `${reply.code} ${reply.message}` : (reply?.kind ?? '');
  };
  return { one, ask };
}

describe('a join token', () => {
  test('lets one node in; the same one may ask again', () => {
    const { one, ask } = cluster(token('t'));
    expect([ask('t'), ask('t'), ask('t', 'n2')]).toEqual(['changed', 'changed', 'UNAUTHENTICATED the join token was used by another node']);
    expect(one.log.filter((event) => event.kind === 'TokenUsed').length).toBe(1);
    expect(one.view.recent.at(-1)).toMatchObject({ objectName: 'n1', reason: 'Joined' });
  });

  test('that is unknown, of a user, or with another secret is refused by the same words', () => {
    const { ask } = cluster(token('t'), token('u', { purpose: 'user' }));
    const want = 'UNAUTHENTICATED the join token is not valid';
    expect([ask('x'), ask('u'), ask('t', 'n1', 'other')]).toEqual([want, want, want]);
  });

  test('runs out', () => {
    const { one, ask } = cluster(token('t', { expiresAtMs: 1_060_000 }));
    one.nowMs = 1_060_001;
    expect(ask('t')).toBe('UNAUTHENTICATED the join token has run out; make a new one with `shoal agent token`');
  });
});

test('tokens that ran out are forgotten with the next one that is made; the others are kept', () => {
  const { one } = cluster(token('old', { expiresAtMs: 1_001_000 }), token('long', { expiresAtMs: 9_000_000 }), token('ever'));
  one.nowMs = 1_002_000;
  one.step([issue(token('new'))]);
  expect([...one.view.tokens.keys()]).toEqual(['long', 'ever', 'new']);
});

test('nobody is told of a secret, nor of its hash', () => {
  const { one } = cluster(token('t'));
  expect(JSON.stringify(one.view.recent)).not.toContain('hash of');
});
