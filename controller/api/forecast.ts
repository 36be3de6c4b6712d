import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { CompiledManifest } from '#codec/manifest.ts';
import type { Change } from '#core/forecast/changes.ts';
import type { JobOutlook, Outlook } from '#core/forecast/outlook.ts';
import type { Displaced, Wanted } from '#core/plan.ts';
import type { PlacementDecision } from '#core/schedule/decidePlacement.ts';
import { quantile } from '#core/learn/sketch.ts';
import { suggest } from '#core/suggest.ts';
import type { StateView } from '#core/state/view.ts';
import type {
  ChangeSchema,
  DisplacedSchema,
  Document,
  EstimateQualitySchema,
  ForecastRequest,
  ForecastResponseSchema,
  JobOutlookSchema,
  ForecastOutlookSchema,
  PlanRequest,
  PlanResponseSchema,
  PlanResultSchema,
} from '#gen/shoal/v1/control_pb.js';
import type { MessageShape } from '@bufbuild/protobuf';
import { RpcError } from '#rpc/rpcError.ts';
import type { UserName } from '#vocabulary/ids.ts';
import { jobUid, queueName } from '#vocabulary/ids.ts';
import { describeWait } from '#vocabulary/reasons.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { ForecastDesk } from '../forecasts/forecastDesk.ts';
import type { TimedPlan } from '../forecasts/questions.ts';
import { limits } from '../limits.ts';
import type { Loop } from '../loop/loop.ts';
import { checkJobs, checkSize, compileDocument, refusalOf, requestOf, resultOf } from './apply.ts';
import { estimateToWire, placeToWire } from './jobToWire.ts';
import { meshToWire } from './meshToWire.ts';
import { verdictToWire } from './verdictToWire.ts';

type Compiled = Extract<CompiledManifest, { ok: true }>;

/** What would become of these documents, were they applied now; nothing changes. */
export async function planDocuments(
  { desk, loop }: { readonly desk: ForecastDesk; readonly loop: Loop },
  user: UserName,
  { documents, when }: PlanRequest,
): Promise<MessageInitShape<typeof PlanResponseSchema>> {
  checkSize(documents);
  const manifests = documents.map(compileDocument);
  checkJobs(manifests);
  const good = manifests.flatMap((manifest) => (manifest.ok ? [manifest] : []));
  const wanted = good.map((manifest, at) => wantedOf(manifest, user, at));
  const { answer, revision, nowMs } = await desk.ask({ kind: 'plan', wanted, when });
  if (answer.kind !== 'plans') throw new RpcError('INTERNAL', 'a plan was answered with something else');
  const plans = new Map(good.map((manifest, at) => [manifest, answer.plans[at]]));
  const nodes = await loop.read((state) => state.nodes);
  const results = manifests.map((manifest) =>
    manifest.ok ? planToWire(manifest, plans.get(manifest), nodes) : { apply: refusalOf(manifest) },
  );
  return { results, revision: BigInt(revision), at: timestampFromMs(nowMs) };
}

/** Of equal age they go in the order of the documents, as ties break on the uid. */
function wantedOf(manifest: Compiled, user: UserName, at: number): Wanted {
  return requestOf(manifest, user, jobUid(`plan-${String(at).padStart(6, '0')}`));
}

function planToWire(manifest: Compiled, plan: TimedPlan | undefined, nodes: StateView['nodes']): MessageInitShape<typeof PlanResultSchema> {
  if (plan === undefined) throw new RpcError('INTERNAL', 'the core made no plan');
  const apply = resultOf(manifest, plan.reply);
  const { decision, promised, displaced, start, verdict } = plan;
  if (decision === null) return { apply };
  if (decision.ok) return { apply, placement: decision.placement.map(placeToWire), ...meshOf(manifest, decision, nodes) };
  return {
    apply,
    waitReason: decision.wait.kind,
    waitMessage: describeWait(decision.wait),
    promised: (promised?.placement ?? []).map(placeToWire),
    displaced: displaced.map(displacedToWire),
    ...(start === null ? {} : { start: estimateToWire(start) }),
    ...(verdict === null ? {} : { verdict: verdictToWire(verdict, manifest.name) }),
  };
}

function meshOf(
  manifest: Compiled,
  { placement, mesh }: Extract<PlacementDecision, { ok: true }>,
  nodes: StateView['nodes'],
): Pick<MessageInitShape<typeof PlanResultSchema>, 'mesh'> {
  return mesh === undefined || manifest.kind !== 'TrainingJob' ? {} : { mesh: meshToWire({ spec: manifest.spec, placement, mesh }, nodes) };
}

function displacedToWire({ name, queue, user, gpuMilli, lost, moves }: Displaced): MessageInitShape<typeof DisplacedSchema> {
  const lostGpuSeconds = BigInt(Math.round(lost / gpuMilliPerGpu / 1_000));
  return { job: name, queue, user, gpuMilli: BigInt(gpuMilli), lostGpuSeconds, moves };
}

/** How the queue is expected to go, and how with these changes. */
export async function forecast(
  { desk, loop }: { readonly desk: ForecastDesk; readonly loop: Loop },
  user: UserName,
  request: ForecastRequest,
): Promise<MessageInitShape<typeof ForecastResponseSchema>> {
  if (request.changes.length > limits.changesPerForecastMax)
    throw new RpcError('INVALID_ARGUMENT', `changes: ${request.changes.length} are given; at most ${limits.changesPerForecastMax} a call`);
  const changes = request.changes.map((change, at) => changeOf(change, user, at));
  const queues = request.queue === '' ? null : await loop.read((state) => withAllBelow(state, request.queue));
  const estimates = await loop.read(({ startErrors }) => qualityToWire(startErrors));
  const { answer, revision, nowMs } = await desk.ask({ kind: 'outlook', changes });
  if (answer.kind === 'refused')
    throw new RpcError('INVALID_ARGUMENT', answer.problems.map(({ change, message }) => `changes[${change}]: ${message}`).join('\n'));
  if (answer.kind !== 'outlooks') throw new RpcError('INTERNAL', 'a forecast was answered with something else');
  return {
    revision: BigInt(revision),
    estimates,
    clusterRevision: BigInt(loop.revision),
    at: timestampFromMs(nowMs),
    before: outlookToWire(answer.before, queues),
    ...(answer.after === null ? {} : { after: outlookToWire(answer.after, queues) }),
  };
}

function changeOf({ change }: MessageShape<typeof ChangeSchema>, user: UserName, at: number): Change {
  switch (change.case) {
    case 'addNodes': {
      const { count, gpuModel: model, gpus, domain } = change.value;
      return { kind: 'addNodes', count, model, gpus, domain: domain === '' ? null : domain };
    }
    case 'lose':
    case 'drain':
    case 'cordon':
      return { kind: change.case, domain: change.value };
    case 'quota': {
      const { queue, field, gpuModel, amount = null } = change.value;
      if (field !== 'limit' && field !== 'guaranteed' && field !== 'weight')
        throw new RpcError('INVALID_ARGUMENT', `changes[${at}]: "${field}" is none of limit, guaranteed, weight`);
      return { kind: 'quota', queue, field, model: gpuModel === '' ? null : gpuModel, amount };
    }
    case 'next':
      return { kind: 'next', job: change.value };
    case 'document':
      return { kind: 'apply', wanted: wantedOf(compileOrThrow(change.value, at), user, at) };
    case undefined:
      throw new RpcError('INVALID_ARGUMENT', `changes[${at}]: it says nothing`);
  }
}

function compileOrThrow(document: Document, at: number): Compiled {
  const manifest = compileDocument(document);
  checkJobs([manifest]);
  if (manifest.ok) return manifest;
  const problems = manifest.problems.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`));
  throw new RpcError('INVALID_ARGUMENT', problems.map((problem) => `changes[${at}]: ${problem}`).join('\n'));
}

/** Throws NOT_FOUND. */
function withAllBelow(state: StateView, name: string): ReadonlySet<string> {
  if (!state.queues.has(queueName(name))) throw new RpcError('NOT_FOUND', `queue "${name}" not found${suggest(name, state.queues.keys())}`);
  const found = new Set([name]);
  for (let before = 0; before < found.size; ) {
    before = found.size;
    for (const { name: each, spec } of state.queues.values()) if (spec.parent !== null && found.has(spec.parent)) found.add(each);
  }
  return found;
}

function outlookToWire(
  { jobs, lastStartMs, usedPermille, cutAtMs }: Outlook,
  queues: ReadonlySet<string> | null,
): MessageInitShape<typeof ForecastOutlookSchema> {
  return {
    jobs: jobs.flatMap((job) => (queues === null || queues.has(job.queue) ? [jobOutlookToWire(job)] : [])),
    ...(lastStartMs === null ? {} : { lastStart: timestampFromMs(lastStartMs) }),
    ...(usedPermille === null ? {} : { usedPermille }),
    ...(cutAtMs === null ? {} : { cutAt: timestampFromMs(cutAtMs) }),
  };
}

function jobOutlookToWire(job: JobOutlook): MessageInitShape<typeof JobOutlookSchema> {
  const { name, queue, user, gpuMilli, runs, startMs, told, endMs, stops, why } = job;
  return {
    name,
    queue,
    user,
    gpuMilli: BigInt(gpuMilli),
    runs,
    ...(startMs === null ? {} : { start: timestampFromMs(startMs) }),
    ...(told === null ? {} : { estimate: estimateToWire(told) }),
    ...(endMs === null ? {} : { end: timestampFromMs(endMs) }),
    stops,
    why,
  };
}

export function qualityToWire({ told, withinP90, errors }: StateView['startErrors']): MessageInitShape<typeof EstimateQualitySchema> {
  const medianErrorPermille = quantile(errors, 500);
  return { told: BigInt(told), withinP90: BigInt(withinP90), ...(medianErrorPermille === null ? {} : { medianErrorPermille }) };
}
