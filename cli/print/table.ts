import type { Table } from '#gen/shoal/v1/control_pb.js';
import { oneLine } from '../escapes.ts';

/** kubectl's gap between columns. */
const gap = '   ';
/** kubectl's word for an empty cell: a column stays a column for awk. */
const nothing = '<none>';

export interface TableStyle {
  readonly wide: boolean;
  readonly headers: boolean;
  /** Put before the first cell, e.g. `job/` where rows of several kinds are printed. */
  readonly prefix: string;
}

/** Columns that stay aligned while rows are appended: a watch prints with the widths that it has seen so far. */
export interface TablePrinter {
  /** Lines for these rows, each ended by a line feed; heads before the first ones. */
  print(table: Table): string;
}

export function makeTablePrinter(style: TableStyle): TablePrinter {
  const widths: number[] = [];
  let headed = !style.headers;
  return {
    print: (table) => {
      const shown = table.columns.flatMap((column, index) => (style.wide || column.priority === 0 ? [index] : []));
      const rows = table.rows.map((row) =>
        shown.map((index, at) => `${at === 0 ? style.prefix : ''}${oneLine(row.cells[index] || nothing)}`),
      );
      const heads = shown.map((index) => (table.columns[index]?.name ?? '').toUpperCase());
      const lines = headed ? rows : [heads, ...rows];
      headed = true;
      return formatColumns(lines, widths);
    },
  };
}

/** Left aligned, three spaces between, none after the last. `widths` grows with what it sees. */
export function formatColumns(lines: readonly (readonly string[])[], widths: number[] = []): string {
  for (const cells of lines)
    cells.forEach((cell, at) => {
      widths[at] = Math.max(widths[at] ?? 0, [...cell].length);
    });
  return lines
    .map(
      (cells) =>
        `${cells
          .map((cell, at) => (at === cells.length - 1 ? cell : pad(cell, widths[at] ?? 0)))
          .join(gap)
          .trimEnd()}\n`,
    )
    .join('');
}

function pad(cell: string, width: number): string {
  return cell + ' '.repeat(Math.max(0, width - [...cell].length));
}
