import { formatDuration } from '#vocabulary/units.ts';
import type { Report } from './report.ts';

/** A short account for people. */
export function printSummary(report: Report): string {
  const { metrics, ledger } = report;
  const workloads = Object.entries(report.workloads);
  const phases = new Map<string, number>();
  for (const [, { phase }] of workloads) phases.set(phase, (phases.get(phase) ?? 0) + 1);
  const counted = [...phases].sort(([a], [b]) => (a < b ? -1 : 1)).map(([phase, count]) => `${count} ${phase}`);
  const capacity = BigInt(ledger.capacity);
  const shares = Object.entries(ledger.categories)
    .filter(([, amount]) => BigInt(amount) > 0n)
    .map(([category, amount]) => `  ${category.padEnd(14)}${percent(BigInt(amount), capacity)}`);
  return [
    `scenario ${report.name}, seed ${report.seed}: ${formatDuration(report.endedAt)} on ${Object.keys(report.nodes).length} nodes`,
    `workloads: ${counted.length === 0 ? 'none' : counted.join(', ')}`,
    ...workloads.slice(0, workloadsShown).map(([name, workload]) => describeWorkload(name, workload)),
    ...(workloads.length > workloadsShown ? [`  and ${workloads.length - workloadsShown} more`] : []),
    `incidents: ${report.incidents.length}`,
    `GPU time: ${(metrics.allocation * 100).toFixed(1)} % held by workloads, effective ${metrics.effective.toFixed(3)}`,
    ...shares,
    `queueing delay: mean ${seconds(metrics.queueingDelay.mean)}, p50 ${seconds(metrics.queueingDelay.p50)}, p99 ${seconds(metrics.queueingDelay.p99)}`,
    `completion time: mean ${seconds(metrics.completionTime.mean)}, p50 ${seconds(metrics.completionTime.p50)}, p99 ${seconds(metrics.completionTime.p99)}`,
    `decisions: ${metrics.decisions}${metrics.decisionTime === undefined ? '' : `, p50 ${metrics.decisionTime.p50.toFixed(3)} ms, p99 ${metrics.decisionTime.p99.toFixed(3)} ms`}`,
    '',
  ].join('\n');
}

const workloadsShown = 40;

function describeWorkload(name: string, { phase, attempts, effective, verdict }: Report['workloads'][string]): string {
  const reasons = attempts.flatMap(({ stopReasons }) => stopReasons.slice(0, 1));
  const ends = reasons.length === 0 ? '' : ` (${reasons.join(', ')})`;
  const why = verdict === null ? '' : `: ${verdict.reason}: ${verdict.message}`;
  return `  ${name}: ${phase}, ${attempts.length} attempts${ends}, effective ${effective.toFixed(3)}${why}`;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

const percent = (part: bigint, whole: bigint): string =>
  `${(Number((part * 100_000n) / (whole === 0n ? 1n : whole)) / 1000).toFixed(3)} %`.padStart(10);
