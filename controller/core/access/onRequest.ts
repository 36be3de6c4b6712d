import type { Reply, Request } from '../inputs.ts';
import type { Turn } from '../turn.ts';

/** Keeps a token's hash; forgets tokens that ran out. */
export function onIssueToken(turn: Turn, request: Extract<Request, { kind: 'issueToken' }>): Reply {
  for (const token of turn.state.tokens.values()) {
    if (token.expiresAtMs !== null && token.expiresAtMs < turn.context.nowMs) turn.emit({ kind: 'TokenRemoved', id: token.id });
  }
  turn.emit({ kind: 'TokenIssued', token: request.token });
  return { kind: 'changed', changed: true, jobs: [], uid: request.token.id };
}

/** A join token lets in one node. The same node may repeat the request: the answer may have been lost. */
export function onRedeemJoinToken(turn: Turn, request: Extract<Request, { kind: 'redeemJoinToken' }>): Reply {
  const token = turn.state.tokens.get(request.id);
  // One message for all that could tell a guesser something.
  if (token === undefined || token.purpose !== 'join' || token.secretHash !== request.secretHash)
    return refuse('the join token is not valid');
  if (token.expiresAtMs !== null && token.expiresAtMs < turn.context.nowMs)
    return refuse('the join token has run out; make a new one with `shoal agent token`');
  if (token.usedBy !== null && token.usedBy !== request.node) return refuse(`the join token was used by another node`);
  if (token.usedBy === null) turn.emit({ kind: 'TokenUsed', id: token.id, node: request.node });
  return { kind: 'changed', changed: true, jobs: [], uid: token.id };
}

function refuse(message: string): Reply {
  return { kind: 'refused', code: 'UNAUTHENTICATED', field: 'token', message };
}
