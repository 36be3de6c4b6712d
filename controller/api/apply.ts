import { randomUUID } from 'node:crypto';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { CompiledManifest } from '#codec/manifest.ts';
import { compileManifest } from '#codec/manifest.ts';
import type { Context } from '#core/context.ts';
import type { Reply, Request } from '#core/inputs.ts';
import { explainPlan, planJob, planQueue, planReservation } from '#core/plan.ts';
import type { PlacementDecision } from '#core/schedule/decidePlacement.ts';
import type { StateView } from '#core/state/view.ts';
import type { ApplyResultSchema, Document, PlanResultSchema } from '#gen/shoal/v1/control_pb.js';
import { RpcError } from '#rpc/rpcError.ts';
import { jobUid } from '#vocabulary/ids.ts';
import type { UserName } from '#vocabulary/ids.ts';
import { describeWait } from '#vocabulary/reasons.ts';
import { limits } from '../limits.ts';
import type { Loop } from '../loop/loop.ts';
import { placeToWire } from './jobToWire.ts';
import { meshToWire } from './meshToWire.ts';
import { verdictToWire } from './verdictToWire.ts';

type ApplyResult = MessageInitShape<typeof ApplyResultSchema>;
type PlanResult = MessageInitShape<typeof PlanResultSchema>;

/** Each document for itself: a refused one does not stop the others. Answers when all accepted ones are durable. */
export async function applyDocuments(loop: Loop, user: UserName, documents: readonly Document[]): Promise<ApplyResult[]> {
  checkSize(documents);
  const compiled = documents.map((document) => compile(document));
  checkJobs(compiled);
  return Promise.all(
    compiled.map(async (manifest): Promise<ApplyResult> => {
      if (!manifest.ok) return refusal(manifest);
      return resultOf(manifest, await loop.offer(requestOf(manifest, user)));
    }),
  );
}

/** What would become of them now; nothing changes. Documents do not see each other. */
export async function planDocuments(loop: Loop, user: UserName, documents: readonly Document[], context: Context): Promise<PlanResult[]> {
  checkSize(documents);
  return Promise.all(documents.map((document) => planDocument(loop, user, document, context)));
}

async function planDocument(loop: Loop, user: UserName, document: Document, context: Context): Promise<PlanResult> {
  const manifest = compile(document);
  if (!manifest.ok) return { apply: refusal(manifest) };
  const request = requestOf(manifest, user);
  if (request.kind === 'applyQueue') return { apply: resultOf(manifest, await loop.read((state) => planQueue(state, request, context))) };
  if (request.kind === 'applyReservation')
    return { apply: resultOf(manifest, await loop.read((state) => planReservation(state, request, context))) };
  const { reply, decision, mesh, verdict } = await loop.read((state, lastPass) => {
    const plan = planJob(state, request, context);
    return { ...plan, mesh: meshOf(request, plan.decision, state), verdict: explainPlan(state, lastPass, plan, context) };
  });
  const apply = resultOf(manifest, reply);
  if (decision === null) return { apply };
  if (!decision.ok)
    return {
      apply,
      waitReason: decision.wait.kind,
      waitMessage: describeWait(decision.wait),
      ...(verdict === null ? {} : { verdict: verdictToWire(verdict, manifest.name) }),
    };
  return {
    apply,
    placement: decision.placement.map(placeToWire),
    ...mesh,
  };
}

function meshOf(
  { spec }: Extract<Request, { kind: 'applyJob' }>,
  decision: PlacementDecision | null,
  { nodes }: StateView,
): Pick<PlanResult, 'mesh'> {
  if (decision?.ok !== true || decision.mesh === undefined) return {};
  return { mesh: meshToWire({ spec, placement: decision.placement, mesh: decision.mesh }, nodes) };
}

function checkSize(documents: readonly Document[]): void {
  if (documents.length > limits.documentsPerApplyMax) {
    throw new RpcError('INVALID_ARGUMENT', `documents: ${documents.length} are given; at most ${limits.documentsPerApplyMax} a call`);
  }
  const bytes = documents.reduce((sum, document) => sum + Buffer.byteLength(document.json), 0);
  if (bytes > limits.manifestBytesMax)
    throw new RpcError('INVALID_ARGUMENT', `documents: ${bytes} bytes are given; at most ${limits.manifestBytesMax} a call`);
}

/** One document may ask for thousands of jobs, and what one call asks for is to fit into few steps. */
function checkJobs(manifests: readonly CompiledManifest[]): void {
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

function compile(document: Document): CompiledManifest {
  let json: unknown;
  try {
    json = JSON.parse(document.json);
  } catch (error) {
    const message = `not valid JSON: ${error instanceof Error ? error.message : String(error)}`;
    return { ok: false, kind: '', name: '', code: 'INVALID_ARGUMENT', problems: [{ field: '', message }] };
  }
  return compileManifest(json);
}

function requestOf(
  manifest: Extract<CompiledManifest, { ok: true }>,
  user: UserName,
): Extract<Request, { kind: 'applyJob' | 'applyQueue' | 'applyReservation' }> {
  if (manifest.kind === 'Queue') {
    const { name, labels, spec } = manifest;
    return { kind: 'applyQueue', name, labels, spec };
  }
  if (manifest.kind === 'Reservation') {
    const { name, labels, spec } = manifest;
    return { kind: 'applyReservation', name, user, labels, spec };
  }
  const { name, labels, annotations, spec } = manifest;
  return { kind: 'applyJob', name, uid: jobUid(randomUUID()), user, labels, annotations, spec };
}

function resultOf(manifest: Extract<CompiledManifest, { ok: true }>, reply: Reply): ApplyResult {
  const object = { kind: manifest.kind, name: manifest.name };
  const warnings = [...manifest.warnings];
  if (reply.kind === 'applied') return { object, outcome: reply.outcome, uid: reply.uid, warnings };
  if (reply.kind === 'refused')
    return { object, outcome: 'refused', warnings, code: reply.code, problems: [{ field: reply.field, message: reply.message }] };
  throw new RpcError('INTERNAL', 'the core answered an apply with something else');
}

function refusal(manifest: Extract<CompiledManifest, { ok: false }>): ApplyResult {
  return {
    object: { kind: manifest.kind, name: manifest.name },
    outcome: 'refused',
    code: manifest.code,
    problems: manifest.problems.map(({ field, message }) => ({ field, message })),
  };
}
