import { type Amounts, type LedgerCategory, ledgerCategories } from '#core/ledger/amounts.ts';
import { formatDuration } from '#vocabulary/units.ts';
import type { Allocation } from './allocationMeter.ts';
import { graceMs } from './fleetScenario.ts';
import type { FleetRun } from './playFleet.ts';
import type { Wait } from './waitMeter.ts';

interface Aim {
  readonly what: string;
  readonly seen: string;
  readonly isMet: boolean;
}

export function printFleet(run: FleetRun): void {
  const { ends, finished } = run;
  console.log(`jobs      ${run.jobs}, of them succeeded ${finished.succeeded}, failed ${finished.failed}; ${run.units} units of services`);
  console.log(
    `failures  ${run.failures} nodes; attempts that ended: ${[...ends].map(([reason, count]) => `${reason} ${count}`).join(', ')}`,
  );
  console.log(
    `passes    ${run.passes}, p50 ${rank(run.passMs, 50).toFixed(2)} ms, p99 ${rank(run.passMs, 99).toFixed(2)} ms, max ${rank(run.passMs, 100).toFixed(0)} ms\n`,
  );
  printAllocation(run);
  printWaits(run);
  printLedger(run);
  printAims(aimsOf(run));
}

/** The four aims of the fleet, and that the books are right. */
export function aimsOf(run: FleetRun): readonly Aim[] {
  const { waits, ledger } = run;
  const share = shareOf(run.allocation.whileAnythingWaits);
  const serving = rank(waitsOf(waits.starts, 'serving'), 100);
  const guaranteed = waits.guaranteed[0]?.ms ?? 0;
  const lost = lostShare(run);
  const sum = ledgerCategories.reduce((total, category) => total + ledger.amounts[category], 0n);
  return [
    { what: 'allocation while work waits ≥ 99 %', seen: percent(share), isMet: share >= 0.99 },
    { what: 'serving waits 0 s', seen: `at most ${seconds(serving)}`, isMet: serving === 0 },
    {
      what: `nobody guaranteed waits longer than the grace, ${seconds(graceMs)}`,
      seen: `at most ${seconds(guaranteed)}`,
      isMet: guaranteed <= graceMs,
    },
    { what: 'lost work < 0.5 %', seen: percent(lost), isMet: lost < 0.005 },
    {
      what: 'ledger: the sum is the capacity',
      seen: sum === ledger.capacity ? 'exactly' : `${sum} of ${ledger.capacity}`,
      isMet: sum === ledger.capacity,
    },
  ];
}

/** Recomputed over productive, without services: a unit has nothing to save, and what it served is not lost when it goes. */
function lostShare({ ledger }: FleetRun): number {
  let [productive, recomputed] = [0n, 0n];
  for (const [queue, amounts] of ledger.byQueue) {
    if (queue === 'serving') continue;
    productive += amounts.productive;
    recomputed += amounts.recomputed;
  }
  return Number(recomputed) / Math.max(1, Number(productive));
}

function printAllocation({ allocation, idle }: FleetRun): void {
  const row = (what: string, part: Allocation): string =>
    `  ${what.padEnd(46)} ${percent(shareOf(part))} of usable GPU time, ${percent(part.waitingMs / Math.max(1, allocation.all.waitingMs))} of the time`;
  console.log('held');
  console.log(row('always', allocation.all));
  console.log(row('while work waits', allocation.whileAnythingWaits));
  console.log(row('while work waits that no own limit keeps back', allocation.whileOthersAreInTheWay));
  if (idle.waiting === 0) return;
  const mean = (sum: number): string => (sum / idle.waiting).toFixed(1);
  console.log(
    `idle while work waits, mean of ${idle.waiting} looks ten minutes apart: ${mean(idle.idle)} GPUs; ${mean(idle.onEmptyNodes)} on empty nodes, ${mean(idle.idle - idle.onEmptyNodes)} between others' work`,
  );
  console.log(
    `  ${percent(idle.fitting / Math.max(1, idle.idle))} of it while some waiting job would fit by count (kept for a promise, or a spread wish)`,
  );
  const waiters = [...idle.waiters].sort(([, a], [, b]) => b.gpus - a.gpus || b.jobs - a.jobs);
  console.log('  who waits (mean over those looks): jobs, GPUs, share of its looks with as many GPUs idle, reasons');
  for (const [shape, { jobs, gpus, enoughIdle, reasons }] of waiters.slice(0, 16)) {
    const why = [...reasons].sort(([, a], [, b]) => b - a).map(([reason, count]) => `${reason} ${percent(count / jobs).trim()}`);
    console.log(
      `    ${shape.padEnd(20)} ${mean(jobs).padStart(8)} ${mean(gpus).padStart(9)} ${percent(enoughIdle / jobs)}  ${why.join(', ')}`,
    );
  }
  console.log('');
}

function printWaits({ waits }: FleetRun): void {
  console.log('waits, seconds                   count      p50      p99      max');
  const row = (what: string, values: readonly number[]): void => {
    const cells = [50, 99, 100].map((at) => (rank(values, at) / 1_000).toFixed(1).padStart(8));
    console.log(`  ${what.padEnd(28)} ${String(values.length).padStart(7)} ${cells.join(' ')}`);
  };
  for (const queue of ['serving', 'flagship', 'pretrain', 'research', 'evaluation']) {
    row(`${queue}: start`, waitsOf(waits.starts, queue));
    row(`${queue}: return`, waitsOf(waits.returns, queue));
  }
  row(
    'within the guarantee',
    waits.guaranteed.map(({ ms }) => ms),
  );
  for (const { job, queue, gpus, fromMs, ms } of waits.guaranteed.slice(0, 10))
    console.log(`    ${seconds(ms).padStart(10)} from ${formatDuration(fromMs)}: ${job}, ${gpus} GPUs, ${queue}`);
  console.log('');
}

function printLedger({ ledger }: FleetRun): void {
  const queues = [...ledger.byQueue];
  console.log(
    `ledger, GPU-hours   ${'cluster'.padStart(16)} ${'share'.padStart(9)}${queues.map(([queue]) => queue.padStart(14)).join('')}`,
  );
  for (const category of ledgerCategories) {
    const amount = ledger.amounts[category];
    const cells = queues.map(([, amounts]) => hours(amounts[category]).padStart(14));
    console.log(
      `  ${category.padEnd(17)} ${hours(amount).padStart(16)} ${percent(Number(amount) / Number(ledger.capacity)).padStart(9)}${cells.join('')}`,
    );
  }
  const sum = sumOf(ledger.amounts, ledgerCategories);
  console.log(
    `  ${'sum'.padEnd(17)} ${hours(sum).padStart(16)} = capacity ${hours(ledger.capacity)}, difference ${sum - ledger.capacity} milli-GPU-ms\n`,
  );
}

function printAims(aims: readonly Aim[]): void {
  for (const { what, seen, isMet } of aims) console.log(`${isMet ? 'met   ' : 'MISSED'}  ${what}: ${seen}`);
}

const sumOf = (amounts: Amounts, categories: readonly LedgerCategory[]): bigint =>
  categories.reduce((total, category) => total + amounts[category], 0n);

const hours = (milliGpuMs: bigint): string => (Number(milliGpuMs) / 3_600_000_000).toFixed(1);

const waitsOf = (waits: readonly Wait[], queue: string): readonly number[] =>
  waits.filter((wait) => wait.queue === queue).map(({ ms }) => ms);

const shareOf = ({ held, usable }: Allocation): number => (usable === 0 ? 1 : held / usable);

/** Nearest rank; 0 of nothing. */
function rank(values: readonly number[], at: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil((at / 100) * sorted.length) - 1)] ?? 0;
}

const percent = (share: number): string => `${(share * 100).toFixed(3)} %`.padStart(9);
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
