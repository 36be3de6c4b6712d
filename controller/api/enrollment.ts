import type { EnrollmentService } from '#gen/shoal/v1/control_pb.js';
import type { Handlers } from '#rpc/call.ts';
import { RpcError } from '#rpc/rpcError.ts';
import { namePattern, nodeName } from '#vocabulary/ids.ts';
import type { NodeName } from '#vocabulary/ids.ts';
import type { Loop } from '../loop/loop.ts';
import { hashSecret } from './access.ts';
import { accepted, asRpc } from './failure.ts';

export interface EnrollmentParts {
  readonly loop: Loop;
  readonly caPem: string;
  readonly agentAddress: () => string;
  /** Throws an error whose message says what is wrong with the request. */
  readonly sign: (csrPem: string, node: NodeName) => Promise<string>;
}

/** Lets a new agent in for a join token. The token is spent only on a request that could be signed. */
export function enrollmentHandlers({ loop, caPem, agentAddress, sign }: EnrollmentParts): Handlers<typeof EnrollmentService> {
  return {
    join: async ({ token, csrPem, node }) => {
      if (!namePattern.test(node))
        throw new RpcError(
          'INVALID_ARGUMENT',
          `node: "${node.slice(0, 80)}" is no name: lower-case letters, digits, '-' and '.', at most 63`,
        );
      const [prefix, id, secret] = token.split('.');
      if (prefix !== 'shoal-join' || id === undefined || secret === undefined)
        throw new RpcError('UNAUTHENTICATED', 'token: not a join token (shoal-join.…); make one with `shoal agent token`');
      const certificatePem = await sign(csrPem, nodeName(node)).catch((error: unknown) => {
        throw new RpcError('INVALID_ARGUMENT', `csr_pem: ${error instanceof Error ? error.message : 'cannot be signed'}`);
      });
      const reply = await asRpc(() => loop.offer({ kind: 'redeemJoinToken', id, secretHash: hashSecret(secret), node: nodeName(node) }));
      accepted(reply);
      return { certificatePem, caPem, agentAddress: agentAddress() };
    },
  };
}
