/** What the demo shows of the job and the nodes: text out of the objects that the API gives. */
import type { Node } from '#gen/shoal/v1/node_pb.js';
import type { Attempt, Rank, TrainingJob, TrainingJobStatus } from '#gen/shoal/v1/training_job_pb.js';
import { formatGpuSeconds, timeMs } from '#cli/print/format.ts';
import { formatColumns } from '#cli/print/table.ts';
import type { Block } from './screen.ts';

export function blockOf(job: TrainingJob, nodes: readonly Node[]): Block {
  const { status } = job;
  const facts = [job.metadata?.name ?? '', status?.phase ?? 'Pending', ...waitFacts(status), ...progressFacts(status)];
  const ranks = [...(status?.ranks ?? [])].sort((a, b) => a.rank - b.rank);
  return {
    lines: ['', `  ${facts.join(' · ')}`, ...ranks.map(rankLine), `  ${nodes.map(nodeWord).join('   ')}`],
    summary: `  ${facts.join(' · ')} · ${ranksInWords(ranks)}`,
  };
}

function waitFacts(status: TrainingJobStatus | undefined): readonly string[] {
  return status?.phase === 'Pending' && status.message !== '' ? [status.message] : [];
}

function progressFacts(status: TrainingJobStatus | undefined): readonly string[] {
  const facts: string[] = [];
  const attempt = status?.attempts.at(-1);
  if (attempt !== undefined) facts.push(`attempt ${attempt.number}`);
  const { progress, checkpoint, ranks = [] } = status ?? {};
  if (progress !== undefined) {
    facts.push(`step ${progress.step}`);
    if (progress.loss !== undefined) facts.push(`loss ${progress.loss.toFixed(4)}`);
    if (progress.tokensPerSecond !== undefined) facts.push(`${Math.round(progress.tokensPerSecond)} tokens/s`);
  }
  const gpus = ranks.filter(({ state }) => state !== 'Ended').reduce((sum, rank) => sum + rank.gpus.length, 0);
  facts.push(`${gpus} GPUs`);
  if (checkpoint !== undefined) facts.push(`checkpoint ${checkpoint.step}`);
  return facts;
}

function rankLine(rank: Rank): string {
  const mesh = Object.entries(rank.mesh).map(([axis, index]) => `${axis} ${index}`);
  const gpus = rank.gpus.map((gpu) => `${rank.node}/${gpu}`).join(',');
  return `    rank ${rank.rank}  ${gpus.padEnd(6)} ${rank.state.padEnd(9)} step ${String(rank.step).padEnd(5)} ${mesh.join(' ')}`;
}

function ranksInWords(ranks: readonly Rank[]): string {
  return ranks.map(({ rank, node, state }) => `r${rank} ${node} ${state}`).join(', ');
}

function nodeWord(node: Node): string {
  const { status, metadata } = node;
  const total = status?.inventory?.gpus.length ?? 0;
  const use = status?.state === 'Ready' ? `${status.gpusUsed}/${total} GPUs` : (status?.state ?? '').toUpperCase();
  return `${metadata?.name ?? ''} ${use}`;
}

/** Where each worker went: `rank 2: n2 → n3`; workers that stayed are not named. */
export function movesBetween(before: Attempt, after: Attempt): readonly string[] {
  const was = new Map(before.placement.map(({ worker, node }) => [worker, node]));
  return after.placement
    .filter(({ worker, node }) => was.get(worker) !== node)
    .map(({ worker, node }) => `rank ${worker}: ${was.get(worker) ?? '?'} → ${node}`);
}

/** Steps that were done and have to be done again. */
export function stepsLost(before: Attempt, after: Attempt): bigint {
  const lost = before.lastStep - after.resumedFromStep;
  return lost > 0n ? lost : 0n;
}

export function summaryOf(job: TrainingJob): readonly string[] {
  const attempts = job.status?.attempts ?? [];
  const lost = attempts.slice(1).reduce((sum, after, index) => sum + stepsLost(attempts[index] ?? after, after), 0n);
  const { application = 0, infrastructure = 0 } = job.status?.restarts ?? {};
  const amounts = Object.entries(job.status?.ledger ?? {}).filter(([, amount]) => amount > 0n);
  return [
    `Job ${job.metadata?.name ?? ''}: ${job.status?.phase ?? ''}`,
    '',
    ...attemptLines(attempts),
    '',
    `Steps lost       ${lost}`,
    `Charged to user  ${application} of ${application + infrastructure} restarts`,
    '',
    'GPU-seconds',
    ...amounts.map(([category, amount]) => `  ${category.padEnd(14)} ${formatGpuSeconds(amount)}`),
  ];
}

/** Reasons last: there may be several, e.g. that of the node and that of a rank which noticed it first. */
function attemptLines(attempts: readonly Attempt[]): readonly string[] {
  const heads = ['Attempt', 'Steps', 'Nodes', 'Seconds', 'Charged', 'Reasons'];
  return formatColumns([heads, ...attempts.map(attemptCells)])
    .trimEnd()
    .split('\n');
}

function attemptCells(attempt: Attempt): readonly string[] {
  const { number, placedAt, endedAt, resumedFromStep, lastStep, placement, stopReasons, stage, chargedToUser } = attempt;
  return [
    String(number),
    `${resumedFromStep}-${lastStep}`,
    [...new Set(placement.map(({ node }) => node))].join(','),
    placedAt === undefined || endedAt === undefined ? '-' : ((timeMs(endedAt) - timeMs(placedAt)) / 1000).toFixed(1),
    chargedToUser ? 'yes' : 'no',
    stopReasons.join(', ') || stage,
  ];
}
