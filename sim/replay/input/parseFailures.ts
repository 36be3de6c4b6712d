/** Failures of nodes from CSV with a header row: t_s, node (its index, from 0) and repair_s are whole numbers; other columns are passed over. */
import type { NodeFailure } from '../nodeFailures.ts';
import { readRows } from './csvRows.ts';

/** `file` is named in errors. Throws InputError at the first row that cannot be read. */
export function parseFailures(text: string, { file, nodes }: { readonly file: string; readonly nodes: number }): readonly NodeFailure[] {
  return readRows(text, file, ['t_s', 'node', 'repair_s']).map((row) => {
    const node = row.whole('node');
    if (node >= nodes) throw row.wrong('node', `the cluster has ${nodes} nodes, from 0`);
    return { atS: row.whole('t_s'), node, repairS: row.whole('repair_s') };
  });
}
