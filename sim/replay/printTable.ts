import type { ReplayTable } from './replayTable.ts';

export interface TableRow {
  readonly name: string;
  readonly table: ReplayTable;
}

const columns: readonly (readonly [heading: string, value: (table: ReplayTable) => string])[] = [
  ['avg JCT', ({ avgJctS }) => String(avgJctS)],
  ['p99 JCT', ({ p99JctS }) => String(p99JctS)],
  ['avg queue', ({ avgQueueS }) => String(avgQueueS)],
  ['p99 queue', ({ p99QueueS }) => String(p99QueueS)],
  ['<node', ({ avgQueueSmallS }) => String(avgQueueSmallS)],
  ['=node', ({ avgQueueNodeS }) => String(avgQueueNodeS)],
  ['>node', ({ avgQueueMultiS }) => String(avgQueueMultiS)],
  ['util %', ({ utilPct }) => utilPct.toFixed(2)],
  ['idle %', ({ idleWhileQueuedPct }) => idleWhileQueuedPct.toFixed(2)],
  ['blocked %', ({ fragBlockedTimePct }) => fragBlockedTimePct.toFixed(2)],
  ['preempt.', ({ preemptions }) => String(preemptions)],
  ['bsld', ({ avgBsld }) => avgBsld.toFixed(2)],
  ['makespan', ({ makespanS }) => String(makespanS)],
];

/** One line a policy below a line of headings; times in seconds. `<node` to `>node` are mean queues by size of job. */
export function printTable(rows: readonly TableRow[]): string {
  const cells = [
    ['policy', ...columns.map(([heading]) => heading)],
    ...rows.map(({ name, table }) => [name, ...columns.map(([, value]) => value(table))]),
  ];
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  const aligned = (text: string, column: number): string =>
    column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0);
  return cells.map((line) => `${line.map(aligned).join('  ')}\n`).join('');
}
