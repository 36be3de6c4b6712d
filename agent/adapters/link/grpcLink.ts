/**
 * The session with the controller over gRPC and mutual TLS. The certificate names the node; the controller's is
 * checked against the cluster CA and the address. A session that breaks, or in which nothing was heard for three
 * heartbeats, is thrown away whole and opened anew: hello tells everything again.
 */
import type { Logger } from 'pino';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { AgentService, type SessionRequestSchema, type SessionResponse } from '#gen/shoal/v1/agent_pb.js';
import { assignmentFromWire, helloToWire, reportToWire } from '#codec/agentSession.ts';
import { connect } from '#rpc/connect.ts';
import type { Client } from '#rpc/call.ts';
import { clientCredentials, type ClientTls } from '#rpc/credentials.ts';
import { assertNever } from '#vocabulary/assert.ts';
import { epoch, type NodeName } from '#vocabulary/ids.ts';
import { protocolVersion } from '#vocabulary/session.ts';
import { backoffMs } from '../../core/backoff.ts';
import { limits } from '../../limits.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Link, NodeSession } from '../../ports/link.ts';
import type { LogSource } from '../../ports/logs.ts';
import { Outbox, type Outgoing } from './outbox.ts';
import { sendLogs } from './sendLogs.ts';
import { Silence } from './silence.ts';

export interface LinkOptions {
  /** host:port of the controller's listener for agents. */
  readonly address: string;
  readonly node: NodeName;
  readonly agentVersion: string;
  readonly tls: ClientTls;
  readonly session: NodeSession;
  readonly logs: LogSource;
  readonly clock: Clock;
  /** Uniform in [0, 1): for the jitter of reconnections. */
  readonly random: () => number;
  readonly log: Logger;
}

/** Begins to connect; never gives up before `close`. */
export function startGrpcLink(options: LinkOptions): Link {
  return new GrpcLink(options);
}

class GrpcLink implements Link {
  readonly #options: LinkOptions;
  readonly #closing = new AbortController();
  readonly #ended: Promise<void>;
  #outbox: Outbox | null = null;
  #failures = 0;
  #logStreams = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#ended = this.#runSessions(this.#closing.signal);
  }

  changed(): void {
    this.#outbox?.changed();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#ended;
  }

  async #runSessions(signal: AbortSignal): Promise<void> {
    const { clock, log, random, address } = this.#options;
    while (!signal.aborted) {
      const why = await this.#runSession(signal);
      if (signal.aborted) return;
      this.#failures += 1;
      const waitMs = backoffMs(this.#failures, random());
      log.warn({ address, why, failures: this.#failures, waitMs }, 'no session with the controller; trying again');
      await sleep(clock, waitMs, signal);
    }
  }

  /** One session, from connecting to its end. Answers why it ended. */
  async #runSession(closing: AbortSignal): Promise<string> {
    const { address, tls, clock, session } = this.#options;
    const ending = new AbortController();
    const signal = AbortSignal.any([closing, ending.signal]);
    const client = connect(AgentService, { address, credentials: clientCredentials(tls) });
    const outbox = new Outbox({ hello: () => session.hello(), report: () => session.report(), clock, gapMs: limits.reportGapMs });
    const silence = new Silence(clock, limits.welcomeMs, () => ending.abort());
    this.#outbox = outbox;
    try {
      for await (const response of client.session(this.#requests(outbox), { signal })) {
        silence.heard();
        this.#onResponse(response, { client, outbox, silence, signal });
      }
      return 'the controller ended the session';
    } catch (error) {
      return silence.isOver() ? `nothing was heard for ${silence.limitMs()} ms` : describe(error);
    } finally {
      this.#outbox = null;
      ending.abort();
      silence.stop();
      outbox.close();
      client.close();
    }
  }

  async *#requests(outbox: Outbox): AsyncGenerator<MessageInitShape<typeof SessionRequestSchema>> {
    for await (const outgoing of outbox.messages()) yield { message: requestToWire(outgoing, this.#options) };
  }

  #onResponse({ message }: SessionResponse, parts: SessionInProgress): void {
    const { session, log } = this.#options;
    switch (message.case) {
      case 'welcome': {
        const refusal = session.onWelcome(epoch(Number(message.value.epoch)));
        if (refusal !== null) throw new Error(refusal);
        const heartbeatMs = Math.min(limits.heartbeatMsMax, Math.max(limits.heartbeatMsMin, message.value.heartbeatMs));
        this.#failures = 0;
        parts.silence.setLimit(limits.silentHeartbeats * heartbeatMs);
        parts.outbox.onWelcome(heartbeatMs);
        log.info(
          { epoch: Number(message.value.epoch), heartbeatMs, controller: message.value.controllerVersion },
          'session with the controller',
        );
        return;
      }
      case 'assignment':
        return session.onAssignment(assignmentFromWire(message.value));
      case 'ack': {
        const version = parts.outbox.onReceipt(Number(message.value.sequence));
        if (version !== null) session.onAcknowledged(version);
        return;
      }
      case 'logs':
        return this.#sendLogs(message.value, parts);
      case undefined:
        return log.warn('the controller sent a message of a kind that this agent does not know');
    }
  }

  #sendLogs(request: Parameters<typeof sendLogs>[1], { client, signal }: SessionInProgress): void {
    const { logs, log } = this.#options;
    if (this.#logStreams >= limits.logStreamsMax)
      return log.warn({ request: request.requestId }, 'too many log streams; one was not served');
    this.#logStreams += 1;
    sendLogs(client, request, logs, signal)
      .catch((error: unknown) => {
        if (!signal.aborted) log.warn({ request: request.requestId, error: describe(error) }, 'logs could not be sent');
      })
      .finally(() => {
        this.#logStreams -= 1;
      });
  }
}

function requestToWire(
  outgoing: Outgoing,
  { node, agentVersion }: LinkOptions,
): NonNullable<MessageInitShape<typeof SessionRequestSchema>['message']> {
  switch (outgoing.kind) {
    case 'hello':
      return { case: 'hello', value: helloToWire({ ...outgoing.hello, node, agentVersion, protocolVersion }) };
    case 'report':
      return { case: 'report', value: reportToWire({ ...outgoing.report, sequence: outgoing.sequence }) };
    default:
      return assertNever(outgoing);
  }
}

interface SessionInProgress {
  readonly client: Client<typeof AgentService>;
  readonly outbox: Outbox;
  readonly silence: Silence;
  readonly signal: AbortSignal;
}

async function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const wake = (): void => {
      cancel();
      signal.removeEventListener('abort', wake);
      resolve();
    };
    const cancel = clock.wakeAt(clock.nowMs() + ms, wake);
    signal.addEventListener('abort', wake, { once: true });
  });
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
