import type { Played } from './playSetup.ts';
import type { Setup } from './setups.ts';

/** Workloads a second of the core's time that we aim at. */
const rateMin = 4_000;

/** Prints what came out beside Kueue's thresholds; returns how many were missed. */
export function printPlayed(setup: Setup, { classes, usagePct, workloads, makespanMs, core }: Played): number {
  let missed = 0;
  const verdict = (met: boolean): string => {
    if (!met) missed += 1;
    return met ? 'met' : 'MISSED';
  };
  const { kueue } = setup;
  const rate = (workloads / core.clockMs) * 1_000;
  const byCpu = Math.round((workloads / core.cpuMs) * 1_000);
  printRow('', 'ours', 'threshold', '', 'Kueue had');
  printRow('workloads/s', count(rate), `>= ${count(rateMin)}`, verdict(rate >= rateMin), String(kueue.workloadsPerSecond));
  for (const { name, count: each, admissionMs } of setup.classes) {
    const record = classes.get(name);
    const all = each * setup.cohorts * setup.queuesPerCohort;
    if (record?.finished !== all) throw new Error(`${record?.finished ?? 0} of ${all} ${name} workloads are finished`);
    const mean = record.meanAdmissionMs;
    const more = `max ${seconds(record.maxAdmissionMs)}, ${record.evictions} evictions of ${all}`;
    printRow(
      `admission, ${name}`,
      seconds(mean),
      `<= ${seconds(admissionMs.bound)}`,
      verdict(mean <= admissionMs.bound),
      `${seconds(admissionMs.seen)}   (ours: ${more})`,
    );
  }
  const { usagePct: usage, makespanMs: makespan } = kueue;
  printRow('usage of quota', `${usagePct.toFixed(1)} %`, `>= ${usage.bound} %`, verdict(usagePct >= usage.bound), `${usage.seen} %`);
  printRow(
    'all over after',
    seconds(makespanMs),
    `<= ${seconds(makespan.bound)}`,
    verdict(makespanMs <= makespan.bound),
    seconds(makespan.seen),
  );
  console.log(
    `  core: ${workloads} workloads in ${core.steps} steps of ${(core.clockMs / core.steps).toFixed(2)} ms, longest ${core.longestMs.toFixed(0)} ms; ` +
      `clock ${seconds(core.clockMs)}, CPU ${seconds(core.cpuMs)} (${count(byCpu)} workloads a second of CPU)`,
  );
  return missed;
}

function printRow(what: string, ours: string, threshold: string, met: string, peer: string): void {
  console.log(`  ${what.padEnd(32)}${ours.padStart(10)}  ${threshold.padEnd(11)} ${met.padEnd(7)} ${peer}`);
}

const count = (value: number): string => Math.round(value).toLocaleString('en');
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
