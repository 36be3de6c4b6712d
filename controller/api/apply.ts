import { randomUUID } from 'node:crypto';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { CompiledManifest } from '#codec/manifest.ts';
import { compileManifest } from '#codec/manifest.ts';
import type { Reply } from '#core/inputs.ts';
import type { Wanted } from '#core/plan.ts';
import type { ApplyResultSchema, Document } from '#gen/shoal/v1/control_pb.js';
import { RpcError } from '#rpc/rpcError.ts';
import { jobUid } from '#vocabulary/ids.ts';
import type { JobUid, UserName } from '#vocabulary/ids.ts';
import { limits } from '../limits.ts';
import type { Loop } from '../loop/loop.ts';

type ApplyResult = MessageInitShape<typeof ApplyResultSchema>;

/** Each document for itself: a refused one does not stop the others. Answers when all accepted ones are durable. */
export async function applyDocuments(loop: Loop, user: UserName, documents: readonly Document[]): Promise<ApplyResult[]> {
  checkSize(documents);
  const compiled = documents.map(compileDocument);
  checkJobs(compiled);
  return Promise.all(
    compiled.map(async (manifest): Promise<ApplyResult> => {
      if (!manifest.ok) return refusalOf(manifest);
      return resultOf(manifest, await loop.offer(requestOf(manifest, user, jobUid(randomUUID()))));
    }),
  );
}

export function checkSize(documents: readonly Document[]): void {
  if (documents.length > limits.documentsPerApplyMax) {
    throw new RpcError('INVALID_ARGUMENT', `documents: ${documents.length} are given; at most ${limits.documentsPerApplyMax} a call`);
  }
  const bytes = documents.reduce((sum, document) => sum + Buffer.byteLength(document.json), 0);
  if (bytes > limits.manifestBytesMax)
    throw new RpcError('INVALID_ARGUMENT', `documents: ${bytes} bytes are given; at most ${limits.manifestBytesMax} a call`);
}

/** One document may ask for thousands of jobs, and what one call asks for is to fit into few steps. */
export function checkJobs(manifests: readonly CompiledManifest[]): void {
  const jobs = manifests.reduce(
    (sum, manifest) => sum + (manifest.ok && manifest.kind === 'TrainingJob' ? (manifest.spec.array?.count ?? 1) : 0),
    0,
  );
  if (jobs > limits.jobsPerApplyMax)
    throw new RpcError(
      'INVALID_ARGUMENT',
      `documents: ${jobs} jobs are asked for, arrays counted; at most ${limits.jobsPerApplyMax} a call`,
    );
}

export function compileDocument(document: Document): CompiledManifest {
  let json: unknown;
  try {
    json = JSON.parse(document.json);
  } catch (error) {
    const message = `not valid JSON: ${error instanceof Error ? error.message : String(error)}`;
    return { ok: false, kind: '', name: '', code: 'INVALID_ARGUMENT', problems: [{ field: '', message }] };
  }
  return compileManifest(json);
}

export function requestOf(manifest: Extract<CompiledManifest, { ok: true }>, user: UserName, uid: JobUid): Wanted {
  if (manifest.kind === 'Queue') {
    const { name, labels, spec } = manifest;
    return { kind: 'applyQueue', name, labels, spec };
  }
  if (manifest.kind === 'Reservation') {
    const { name, labels, spec } = manifest;
    return { kind: 'applyReservation', name, user, labels, spec };
  }
  const { name, labels, annotations, spec } = manifest;
  return { kind: 'applyJob', name, uid, user, labels, annotations, spec };
}

export function resultOf(manifest: Extract<CompiledManifest, { ok: true }>, reply: Reply): ApplyResult {
  const object = { kind: manifest.kind, name: manifest.name };
  const warnings = [...manifest.warnings];
  if (reply.kind === 'applied') return { object, outcome: reply.outcome, uid: reply.uid, warnings };
  if (reply.kind === 'refused')
    return { object, outcome: 'refused', warnings, code: reply.code, problems: [{ field: reply.field, message: reply.message }] };
  throw new RpcError('INTERNAL', 'the core answered an apply with something else');
}

export function refusalOf(manifest: Extract<CompiledManifest, { ok: false }>): ApplyResult {
  return {
    object: { kind: manifest.kind, name: manifest.name },
    outcome: 'refused',
    code: manifest.code,
    problems: manifest.problems.map(({ field, message }) => ({ field, message })),
  };
}
