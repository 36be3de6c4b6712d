import type { LedgerResponse, LedgerRow } from '#gen/shoal/v1/control_pb.js';
import { compileTarget, type TargetOptions } from '../../config/target.ts';
import { exitCodes } from '../../exitCodes.ts';
import { compileChoice, type Flags } from '../../flags.ts';
import type { Io } from '../../io.ts';
import { formatValue } from '../../print/canonical.ts';
import { formatGpuHours } from '../../print/format.ts';
import { formatColumns } from '../../print/table.ts';
import { oneLine } from '../../escapes.ts';
import { withServer } from '../../server/connection.ts';

const groupings = ['queue', 'user', 'project', 'job'] as const;

export interface LedgerOptions {
  readonly target: TargetOptions;
  /** null: the cluster as a whole. */
  readonly by: (typeof groupings)[number] | null;
  readonly output: 'json' | 'yaml' | null;
}

export function compileLedger(flags: Flags): LedgerOptions {
  return {
    target: compileTarget(flags),
    by: compileChoice(flags, 'by', groupings),
    output: compileChoice(flags, 'output', ['json', 'yaml']),
  };
}

export async function runLedger({ target, by, output }: LedgerOptions, io: Io, signal: AbortSignal): Promise<number> {
  return withServer(
    target,
    io,
    async ({ client, unary }) => {
      const ledger = await client.ledger({ by: by ?? 'cluster' }, unary());
      if (output !== null) io.stdout.write(await formatValue(valueOf(ledger, by), output));
      else if (by === null) io.stdout.write(printCluster(ledger));
      else if (ledger.rows.length > 0) io.stdout.write(printRows(by, ledger.rows));
      else io.stderr.write('No resources found\n');
      return exitCodes.ok;
    },
    signal,
  );
}

function valueOf({ capacity, rows }: LedgerResponse, by: LedgerOptions['by']) {
  return { by: by ?? 'cluster', unit: 'milli-GPU-milliseconds', capacity, rows: rows.map(({ name, amounts }) => ({ name, amounts })) };
}

/** A line a category, and its share of all GPU time. */
function printCluster({ capacity, rows }: LedgerResponse): string {
  const all = BigInt(capacity || '0');
  const lines = sortAmounts(rows[0]?.amounts ?? {}).map(([category, amount]) => [category, formatGpuHours(amount), share(amount, all)]);
  return formatColumns([['CATEGORY', 'GPU-HOURS', 'SHARE'], ...lines, ['total', formatGpuHours(all), share(all, all)]]);
}

/** A line a name, a column for each category that any of them has. */
function printRows(by: string, rows: readonly LedgerRow[]): string {
  const categories = [...new Set(rows.flatMap(({ amounts }) => Object.keys(amounts)))].sort();
  const lines = rows.map(({ name, amounts }) => {
    const cells = categories.map((category) => formatGpuHours(BigInt(amounts[category] ?? '0')));
    const total = Object.values(amounts).reduce((sum, amount) => sum + BigInt(amount), 0n);
    return [oneLine(name || '<none>'), formatGpuHours(total), ...cells];
  });
  return formatColumns([[by.toUpperCase(), 'GPU-HOURS', ...categories.map((category) => category.toUpperCase())], ...lines]);
}

/** The greatest first, then by name. */
function sortAmounts(amounts: Readonly<Record<string, string>>): readonly (readonly [string, bigint])[] {
  return Object.entries(amounts)
    .map(([category, amount]) => [category, BigInt(amount)] as const)
    .sort(([leftName, left], [rightName, right]) => (left === right ? (leftName < rightName ? -1 : 1) : left > right ? -1 : 1));
}

function share(amount: bigint, all: bigint): string {
  return all === 0n ? '-' : `${(Number((amount * 1000n) / all) / 10).toFixed(1)}%`;
}
