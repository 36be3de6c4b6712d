import type { MessageInitShape } from '@bufbuild/protobuf';
import { assignmentToWire, helloFromWire, reportFromWire } from '#codec/agentSession.ts';
import type { AgentService, SessionRequest, SessionResponseSchema } from '#gen/shoal/v1/agent_pb.js';
import type { CallContext, Handlers } from '#rpc/call.ts';
import { RpcError } from '#rpc/rpcError.ts';
import type { Hello, Report } from '#vocabulary/session.ts';
import { protocolVersion } from '#vocabulary/session.ts';
import { limits } from '../limits.ts';
import type { Loop } from '../loop/loop.ts';
import type { Session, Sessions } from '../loop/sessions.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { Channel } from './channel.ts';
import { accepted, asRpc, rpcErrorOf } from './failure.ts';
import type { LogDesk } from './logs.ts';

type SessionResponse = MessageInitShape<typeof SessionResponseSchema>;

export interface AgentsParts {
  readonly loop: Loop;
  readonly sessions: Sessions;
  readonly logs: LogDesk;
  readonly telemetry: Telemetry;
  readonly version: string;
}

/** The agents' side of the controller. The client certificate's common name is the node; nobody speaks for another. */
export function agentHandlers(parts: AgentsParts): Handlers<typeof AgentService> {
  return {
    session: (requests, context) => session(parts, requests, context),
    sendLogs: async (requests, context) => {
      await parts.logs.receive(nodeOf(context), requests);
      return {};
    },
  };
}

async function* session(
  parts: AgentsParts,
  requests: AsyncIterable<SessionRequest>,
  context: CallContext,
): AsyncGenerator<SessionResponse> {
  const messages = requests[Symbol.asyncIterator]();
  const hello = await takeHello(parts, messages, context);
  const channel = new Channel<SessionResponse>(limits.sessionMessagesMax);
  const say = (message: SessionResponse['message']): void => {
    if (message !== undefined)
      channel.offer({ message }, () => new RpcError('RESOURCE_EXHAUSTED', `node ${hello.node} does not take its messages`));
  };
  const open: Session = {
    node: hello.node,
    send: (assignment) => say({ case: 'assignment', value: assignmentToWire(assignment) }),
    requestLogs: ({ requestId, id, ranks, stream, follow, tail }) =>
      say({
        case: 'logs',
        value: {
          requestId,
          id: { jobUid: id.job, attempt: id.attempt, worker: id.worker },
          ranks: [...ranks],
          stream,
          follow,
          ...(tail === null ? {} : { tail }),
        },
      }),
    close: (why) => channel.close(new RpcError('ABORTED', why)),
  };
  parts.sessions.register(open);
  try {
    accepted(await asRpc(() => parts.loop.offer({ kind: 'hello', hello })));
    const epoch = await parts.loop.read((state) => state.epoch);
    say({
      case: 'welcome',
      value: {
        epoch: BigInt(epoch),
        controllerVersion: parts.version,
        heartbeatMs: limits.heartbeatMs,
        lostAfterMs: limits.nodeLostAfterMs,
      },
    });
    await parts.sessions.welcome(open);
    parts.telemetry.info({ node: hello.node, agent: hello.agentVersion, peer: context.peer }, 'agent connected');
    const reading = takeReports(parts, messages, open, (sequence) => say({ case: 'ack', value: { sequence: BigInt(sequence) } }));
    reading.then(
      () => channel.close(),
      (error: unknown) => channel.close(rpcErrorOf(error)),
    );
    yield* channel.read(context.signal);
  } finally {
    parts.sessions.closed(open);
    parts.logs.nodeGone(hello.node);
    parts.telemetry.info({ node: hello.node }, 'agent disconnected');
  }
}

async function takeHello(parts: AgentsParts, messages: AsyncIterator<SessionRequest>, context: CallContext): Promise<Hello> {
  const first = await messages.next();
  if (first.done === true || first.value.message.case !== 'hello')
    throw new RpcError('INVALID_ARGUMENT', 'message: a session begins with hello');
  const wire = first.value.message.value;
  if (wire.protocolVersion !== protocolVersion) {
    throw new RpcError(
      'FAILED_PRECONDITION',
      `agent ${wire.agentVersion} of node ${wire.node} speaks protocol ${wire.protocolVersion}; this controller (${parts.version}) speaks ${protocolVersion}: install an agent of the controller's version`,
    );
  }
  const node = nodeOf(context);
  if (wire.node !== node) throw new RpcError('PERMISSION_DENIED', `node: the hello names "${wire.node}", the certificate is for "${node}"`);
  return helloFromWire(wire);
}

/** One after the other; each is acknowledged when what followed from it is durable. */
async function takeReports(
  parts: AgentsParts,
  messages: AsyncIterator<SessionRequest>,
  open: Session,
  acknowledge: (sequence: number) => void,
): Promise<void> {
  let lastSeen = '';
  for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
    if (next.value.message.case !== 'report') throw new RpcError('INVALID_ARGUMENT', 'message: after hello come reports');
    const report = reportFromWire(next.value.message.value);
    parts.sessions.heard(open.node);
    parts.sessions.noteSamples(open.node, report.samples);
    const seen = printObserved(report);
    // Nearly all reports are heartbeats: nothing in them that the core has not seen.
    if (seen !== lastSeen || !(await isSettled(parts, open))) {
      accepted(await parts.loop.offer({ kind: 'report', node: open.node, report }));
      lastSeen = seen;
    }
    acknowledge(report.sequence);
  }
}

/** A node on its way back is looked at with each report. */
async function isSettled({ loop }: AgentsParts, open: Session): Promise<boolean> {
  return loop.read((state) => state.nodes.get(open.node)?.availability.kind === 'ready');
}

function printObserved({ generation, workers, gpuHealth }: Report): string {
  return JSON.stringify([generation, workers, gpuHealth]);
}

function nodeOf(context: CallContext): string {
  if (context.peerCommonName === null)
    throw new RpcError('UNAUTHENTICATED', 'an agent shows a certificate of the cluster; run `shoal agent join`');
  return context.peerCommonName;
}
