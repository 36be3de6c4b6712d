import type { Mark, Placement, Rank, TrainingJob, TrainingJobSpec, TrainingJobStatus } from '#gen/shoal/v1/training_job_pb.js';
import { meshAxes } from '#vocabulary/job.ts';
import { formatGpuSeconds, formatIndices, formatMap, formatTime, shellWord } from '../../print/format.ts';
import { estimateText } from '../../print/planText.ts';
import { meshSections } from '../../print/mesh.ts';
import type { Section } from '../../print/sections.ts';

type Fact = readonly [name: string, value: string];

export function describeJob(job: TrainingJob): readonly Section[] {
  const { metadata, spec, status } = job;
  const identity: Fact[] = [
    ['Name', metadata?.name ?? ''],
    ['UID', metadata?.uid ?? ''],
    ['Labels', formatMap(metadata?.labels ?? {})],
    ['User', status?.user || '-'],
    ['Created', formatTime(metadata?.creationTimestamp)],
    ...(status?.finishedAt === undefined ? [] : [['Finished', formatTime(status.finishedAt)] satisfies Fact]),
    ...spareFacts(spec, status),
    ...markFacts('Held by', status?.held),
    ...markFacts('Put first by', status?.next),
    ['Phase', `${status?.phase ?? ''}${status?.deleting === true ? ' (being deleted)' : ''}`],
  ];
  return [
    { kind: 'facts', facts: [...identity, ...whyFacts(status), ...specFacts(spec, status)] },
    ...meshSections(status?.mesh),
    placementSection(status?.ranks ?? []),
    { kind: 'facts', facts: [...progressFacts(status), ...checkpointFacts(status)] },
    attemptsSection(status),
    ...swapSections(status),
    ledgerSection(status),
  ];
}

function markFacts(name: string, mark: Mark | undefined): readonly Fact[] {
  return mark === undefined ? [] : [[name, `${mark.by} at ${formatTime(mark.at)}`]];
}

/** What it wants may be more than there is. */
function spareFacts(spec: TrainingJobSpec | undefined, status: TrainingJobStatus | undefined): readonly Fact[] {
  const wanted = spec?.spares ?? 0;
  if (wanted === 0) return [];
  const names = status?.spares ?? [];
  return [['Spares', `${names.length} of ${wanted}${names.length === 0 ? '' : `: ${names.join(', ')}`}`]];
}

/** Waiting is the question that brings most people here. */
function whyFacts(status: TrainingJobStatus | undefined): readonly Fact[] {
  const starts: readonly Fact[] =
    status?.startEstimate === undefined ? [] : [['Estimated', `starts ${estimateText(status.startEstimate)}`]];
  if (status?.verdict !== undefined) return [...status.verdict.lines.map(({ title, text }): Fact => [title, text]), ...starts];
  if (status === undefined || (status.reason === '' && status.message === '')) return [];
  const why = [status.reason, status.message].filter((each) => each !== '').join(': ');
  return [[status.phase === 'Pending' ? 'Why pending' : 'Reason', why], ...starts];
}

function specFacts(spec: TrainingJobSpec | undefined, status: TrainingJobStatus | undefined): readonly Fact[] {
  if (spec === undefined) return [];
  const { checkpoint, restarts, template, placement } = spec;
  const levels =
    placement?.constraints.map(({ level, mode, wait }) => `${level} (${mode || 'required'}${wait === '' ? '' : `, waits ${wait}`})`) ?? [];
  const optional: readonly Fact[] = [
    ['GPU models', spec.gpuModel.join(', ')],
    ['Inside one', levels.join(', ')],
    ...placementFacts(placement),
    ['After', spec.after.map(({ job, condition }) => `${job} (${condition || 'Succeeded'})`).join(', ')],
    ['Not before', spec.notBefore],
    ['Deadline', spec.deadline],
    ['Min runtime', spec.minRuntime],
    ['Checkpoints', checkpoint === undefined ? '' : checkpointSpec(checkpoint)],
    ['Restarts', restarts?.max === undefined ? '' : `at most ${restarts.max}${restarts.within === '' ? '' : ` within ${restarts.within}`}`],
    ['Max runtime', spec.maxRuntime],
  ];
  return [
    ['Queue', spec.queue || 'default'],
    ['Priority', String(spec.priority ?? 20)],
    ['Workers', describeWorkers(spec, status)],
    ['Mesh', formatMap(spec.mesh, meshAxes)],
    ...(Object.keys(spec.traffic).length === 0 ? [] : [['Traffic a step', formatMap(spec.traffic, meshAxes)] satisfies Fact]),
    ...optional.filter(([, value]) => value !== ''),
    ['Command', (template?.command ?? []).map(shellWord).join(' ')],
  ];
}

/** `6 x 1 GPUs (elastic: 2 to 16, asks for 8)`. */
function describeWorkers(spec: TrainingJobSpec, status: TrainingJobStatus | undefined): string {
  const { elastic, workers } = spec;
  const now = status === undefined || status.workers === 0 ? (workers ?? '?') : status.workers;
  const size = `${now} x ${describeWorkerGpus(spec)}`;
  if (elastic === undefined) return size;
  const resize = status?.resize;
  const soon = resize === undefined ? '' : `; goes on with ${resize.workers}: ${resize.message}`;
  return `${size} (elastic: ${elastic.minWorkers} to ${elastic.maxWorkers}, asks for ${workers ?? '?'}${soon})`;
}

function describeWorkerGpus({ gpuProfile, gpuShare, gpusPerWorker = 1 }: TrainingJobSpec): string {
  if (gpuProfile !== '') return `one ${gpuProfile} slot`;
  return gpuShare === '' ? `${gpusPerWorker} GPUs` : `${gpuShare} of a GPU`;
}

function placementFacts(placement: Placement | undefined): readonly Fact[] {
  if (placement === undefined) return [];
  const { segments, spread, exclusive, nodeSelector, avoidNodes, packing, axisOrder } = placement;
  return [
    ['Segments', segments.map(({ level, workers }) => `${workers} workers a ${level}`).join(', ')],
    ['Spread', spread === undefined ? '' : `at most ${spread.max ?? 1} workers a ${spread.level}`],
    ['Alone in', exclusive],
    ['Node labels', Object.keys(nodeSelector).length === 0 ? '' : formatMap(nodeSelector)],
    ['Avoids nodes', avoidNodes.join(', ')],
    ['Packing', packing === 'tight' ? '' : packing],
    ['Axis order', axisOrder.join(', ')],
  ];
}

function checkpointSpec({ directory, interval, keep }: NonNullable<TrainingJobSpec['checkpoint']>): string {
  return [directory, ...(interval === '' ? [] : [`every ${interval}`]), ...(keep === undefined ? [] : [`keep ${keep}`])].join(', ');
}

function placementSection(ranks: readonly Rank[]): Section {
  return {
    kind: 'table',
    title: 'Placement',
    heads: ['Rank', 'Node', 'GPU', 'State', 'Step', 'Mesh'],
    rows: [...ranks]
      .sort((a, b) => a.rank - b.rank)
      .map((rank) => [
        String(rank.rank),
        rank.node,
        formatIndices(rank.gpus) || '-',
        rank.exitCode === undefined ? rank.state : `${rank.state} (exit ${rank.exitCode})`,
        String(rank.step),
        formatMap(rank.mesh, meshAxes),
      ]),
    empty: '<none>',
  };
}

function progressFacts(status: TrainingJobStatus | undefined): readonly Fact[] {
  const progress = status?.progress;
  if (progress === undefined) return [['Progress', '<none reported>']];
  const { step, loss, tokens, tokensPerSecond, stepSeconds, at } = progress;
  const parts = [
    `step ${step}`,
    ...(loss === undefined ? [] : [`loss ${loss.toFixed(4)}`]),
    ...(tokens === undefined ? [] : [`${Math.round(tokens)} tokens`]),
    ...(tokensPerSecond === undefined ? [] : [`${Math.round(tokensPerSecond)} tokens/s`]),
    ...(stepSeconds === undefined ? [] : [`${stepSeconds.toFixed(3)} s/step`]),
  ];
  return [['Progress', `${parts.join(', ')} (at ${formatTime(at)})`]];
}

function checkpointFacts(status: TrainingJobStatus | undefined): readonly Fact[] {
  const checkpoint = status?.checkpoint;
  if (checkpoint === undefined) return [['Checkpoint', '<none>']];
  return [['Checkpoint', `step ${checkpoint.step} in ${checkpoint.path} (at ${formatTime(checkpoint.at)})`]];
}

function attemptsSection(status: TrainingJobStatus | undefined): Section {
  return {
    kind: 'table',
    title: 'Attempts',
    heads: ['Attempt', 'Stage', 'Started', 'Ended', 'Steps', 'Nodes', 'Reasons', 'Charged', 'Message'],
    rows: (status?.attempts ?? []).map((attempt) => [
      String(attempt.number),
      attempt.stage,
      formatTime(attempt.startedAt),
      formatTime(attempt.endedAt),
      attempt.lastStep === 0n ? '-' : `${attempt.resumedFromStep}-${attempt.lastStep}`,
      [...new Set(attempt.placement.map(({ node }) => node))].join(','),
      attempt.stopReasons.join(',') || '-',
      attempt.chargedToUser ? 'yes' : 'no',
      attempt.message || '-',
    ]),
    empty: '<none>',
  };
}

/** Only of a gang that lost a part of itself. */
function swapSections(status: TrainingJobStatus | undefined): readonly Section[] {
  const swaps = (status?.attempts ?? []).filter(({ swapped }) => swapped !== '');
  if (swaps.length === 0) return [];
  const rows = swaps.map(({ number, swapped }) => [String(number), swapped]);
  return [{ kind: 'table', title: 'Replaced', heads: ['Attempt', 'Workers'], rows, empty: '' }];
}

function ledgerSection(status: TrainingJobStatus | undefined): Section {
  const entries = Object.entries(status?.ledger ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const total = entries.reduce((sum, [, amount]) => sum + amount, 0n);
  const share = (amount: bigint): string => (total === 0n ? '-' : `${(Number((amount * 1000n) / total) / 10).toFixed(1)}%`);
  const rows = entries.map(([category, amount]) => [category, formatGpuSeconds(amount), share(amount)]);
  return {
    kind: 'table',
    title: 'GPU time',
    heads: ['Category', 'GPU-seconds', 'Share'],
    rows: rows.length === 0 ? [] : [...rows, ['total', formatGpuSeconds(total), share(total)]],
    empty: '<none>',
  };
}
