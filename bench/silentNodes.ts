import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { AgentService, type SessionRequestSchema } from '#gen/shoal/v1/agent_pb.js';
import { EnrollmentService } from '#gen/shoal/v1/control_pb.js';
import { helloToWire } from '#codec/agentSession.ts';
import { connect } from '#rpc/connect.ts';
import { clientCredentials } from '#rpc/credentials.ts';
import { epoch, nodeName } from '#vocabulary/ids.ts';
import { protocolVersion } from '#vocabulary/session.ts';
import type { BenchController, ControlClient } from './controllerProcess.ts';

/**
 * Nodes that are there and start nothing: real sessions over mutual TLS, which take assignments, never answer them and
 * keep the heartbeat. For figures of the control plane alone.
 */
export async function openSilentNodes(
  controller: BenchController,
  client: ControlClient,
  shape: { readonly nodes: number; readonly gpus: number },
): Promise<() => void> {
  const closers: (() => void)[] = [];
  for (let index = 0; index < shape.nodes; index += 1) closers.push(await openNode(controller, client, index, shape.gpus));
  return () => {
    for (const close of closers) close();
  };
}

async function openNode(controller: BenchController, client: ControlClient, index: number, gpus: number): Promise<() => void> {
  const name = `s${String(index).padStart(4, '0')}`;
  const { token } = await client.createJoinToken({});
  const caPem = await caOf(controller);
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const request = await Pkcs10CertificateRequestGenerator.create({ name: `CN=${name}`, keys, signingAlgorithm: algorithm }, webcrypto);
  const enrollment = connect(EnrollmentService, { address: controller.control, credentials: clientCredentials({ caPem }) });
  const { certificatePem } = await enrollment.join({ token, csrPem: request.toString('pem'), node: name });
  enrollment.close();
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const keyPem = `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`;
  const agent = connect(AgentService, { address: controller.agents, credentials: clientCredentials({ caPem, certificatePem, keyPem }) });
  const stop = new AbortController();
  const answers = agent.session(heartbeats(name, index, gpus, stop.signal), { signal: stop.signal });
  await new Promise<void>((resolve) => {
    drain(answers, resolve).catch(() => undefined);
  });
  return () => {
    stop.abort();
    agent.close();
  };
}

async function drain(answers: AsyncIterable<unknown>, onFirst: () => void): Promise<void> {
  for await (const _ of answers) onFirst();
}

async function* heartbeats(
  name: string,
  index: number,
  gpus: number,
  signal: AbortSignal,
): AsyncGenerator<MessageInitShape<typeof SessionRequestSchema>> {
  const inventory = {
    address: `10.0.${index >> 8}.${index & 255}`,
    bootId: 'bench',
    agentVersion: 'bench',
    path: ['z1', 'b1', `r${Math.floor(index / 16)}`],
    cpuMilli: 64_000,
    memoryBytes: 2 ** 38,
    os: 'linux',
    gpus: Array.from({ length: gpus }, (_, gpu) => ({
      index: gpu,
      uuid: `GPU-${name}-${gpu}`,
      model: 'H100',
      memoryBytes: 80 * 2 ** 30,
      pciBusId: `0000:${gpu}`,
      numaNode: 0,
      nvlinkDomain: 0,
    })),
  };
  const hello = helloToWire({
    node: nodeName(name),
    protocolVersion,
    agentVersion: 'bench',
    inventory,
    epochSeen: epoch(0),
    workers: [],
    gpuHealth: [],
    labels: {},
  });
  yield { message: { case: 'hello', value: hello } };
  for (let sequence = 1; !signal.aborted; sequence += 1) {
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    yield { message: { case: 'report', value: { sequence: BigInt(sequence), generation: 0n } } };
  }
}

async function caOf(controller: BenchController): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  return readFile(`${controller.folder}/controller/pki/ca.crt`, 'utf8');
}
