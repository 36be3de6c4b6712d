import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { TokenFacts } from '#core/events.ts';
import type { Loop } from '#controller/loop/loop.ts';
import type { Clock } from '#controller/ports/clock.ts';
import type { CallContext } from '#rpc/call.ts';
import { RpcError } from '#rpc/rpcError.ts';
import type { UserName } from '#vocabulary/ids.ts';

/**
 * Who calls: a bearer token `shoal.<id>.<secret>` whose SHA-256 is in the store. Every user is a cluster administrator in
 * this version. A join token `shoal-join.<id>.<secret>.<ca hash>` opens nothing but EnrollmentService.Join.
 */
export interface Caller {
  readonly user: UserName;
  readonly role: 'cluster-admin';
}

export class Access {
  readonly #loop: Loop;
  readonly #clock: Clock;
  readonly #callers = new WeakMap<CallContext, Caller>();

  constructor(loop: Loop, clock: Clock) {
    this.#loop = loop;
    this.#clock = clock;
  }

  /** For `addService`: refuses who shows no valid token. */
  readonly intercept = async (_method: string, context: CallContext): Promise<void> => {
    const [scheme, token] = (context.metadata.get('authorization') ?? '').split(' ');
    const parts = (token ?? '').split('.');
    const [prefix, id, secret] = parts;
    if (scheme?.toLowerCase() !== 'bearer' || parts.length !== 3 || prefix !== 'shoal' || id === undefined || secret === undefined) {
      throw new RpcError(
        'UNAUTHENTICATED',
        'no token, or not one of the form `shoal.<id>.<secret>`; run `shoal up`, or `shoal config set-context` with a token',
      );
    }
    const known = await this.#loop.read((state) => state.tokens.get(id));
    const isValid =
      known !== undefined &&
      known.purpose === 'user' &&
      sameHash(known.secretHash, hashSecret(secret)) &&
      (known.expiresAtMs === null || known.expiresAtMs > this.#clock.nowMs());
    if (!isValid) throw new RpcError('UNAUTHENTICATED', 'the token is not valid, or has run out');
    this.#callers.set(context, { user: known.user, role: 'cluster-admin' });
  };

  callerOf(context: CallContext): Caller {
    const caller = this.#callers.get(context);
    if (caller === undefined) throw new RpcError('UNAUTHENTICATED', 'the call was not authenticated');
    return caller;
  }
}

/** A new secret, and what is kept of it. */
export function makeToken(
  purpose: TokenFacts['purpose'],
  user: UserName,
  expiresAtMs: number | null,
): { readonly secret: string; readonly facts: TokenFacts } {
  const id = randomBytes(6).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  return { secret, facts: { id, purpose, secretHash: hashSecret(secret), user, expiresAtMs } };
}

/** A secret of 256 random bits needs no slow hash: it cannot be guessed from it. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

function sameHash(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}
