import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openSqliteStore } from '#controller/adapters/sqlite/sqliteStore.ts';
import { epoch, revision } from '#vocabulary/ids.ts';
import { printMachine } from './machine.ts';

/**
 * How fast the SQLite store takes events: `node bench/store.ts [--folder FOLDER] [--seconds N]`.
 * One append at a time, each durable before the next is made, as the controller's commit does it; lines of 300 bytes, which is what a
 * placement event has. Every append costs one fsync, so the folder's disk decides the first rows and the CPU the last. The disk alone
 * is measured beside each row: on a shared machine it changes thirtyfold from one minute to the next (0.1 ms and 3.4 ms, 2026-11-23),
 * and an append that seems faster than the disk then only had another moment.
 */
const batches = [1, 16, 128, 1_024];
const line = JSON.stringify({ kind: 'placed', text: 'x'.repeat(270) });

const { values } = parseArgs({ options: { folder: { type: 'string', default: tmpdir() }, seconds: { type: 'string', default: '3' } } });
const folder = mkdtempSync(join(values.folder, 'shoal-bench-'));
try {
  printMachine();
  print(`folder in ${values.folder}; lines of ${line.length} bytes; ${values.seconds} s a row`);
  print('disk: p50 of write + fdatasync of as many bytes to a plain file, measured just before and just after the row\n');
  print('lines/append   appends/s    events/s   p50 ms   p99 ms   max ms   disk before   disk after');
  for (const lines of batches) print(await measure(join(folder, `batch-${lines}`), lines, Number(values.seconds) * 1_000));
} finally {
  rmSync(folder, { recursive: true });
}

async function measure(place: string, lines: number, forMs: number): Promise<string> {
  const diskBefore = diskMs(folder, lines * line.length);
  const store = await openSqliteStore({ folder: place });
  const batch = Array.from({ length: lines }, () => line);
  const tookMs: number[] = [];
  let after = 0;
  const started = performance.now();
  while (performance.now() - started < forMs) {
    const before = performance.now();
    await store.append({ after: revision(after), epoch: epoch(1), lines: batch });
    tookMs.push(performance.now() - before);
    after += lines;
  }
  const seconds = (performance.now() - started) / 1_000;
  await store.close();
  const rates = [tookMs.length / seconds, after / seconds].map((rate) => Math.round(rate).toLocaleString('en-US').padStart(11));
  const times = [50, 99, 100].map((rank) => percentile(tookMs, rank).toFixed(2).padStart(8));
  const disk = [diskBefore, diskMs(folder, lines * line.length)].map((ms) => ms.toFixed(2).padStart(12));
  return `${String(lines).padStart(12)} ${rates.join(' ')} ${times.join(' ')}  ${disk.join(' ')}`;
}

/** What the disk alone costs for an append of so many bytes, in milliseconds. */
function diskMs(place: string, bytes: number): number {
  const file = openSync(join(place, 'plain'), 'w');
  const block = Buffer.alloc(bytes, 1);
  const tookMs: number[] = [];
  for (let index = 0; index < 100; index += 1) {
    const before = performance.now();
    writeSync(file, block);
    fdatasyncSync(file);
    tookMs.push(performance.now() - before);
  }
  closeSync(file);
  return percentile(tookMs, 50);
}

/** The value that `rank` per cent do not exceed. */
function percentile(values: readonly number[], rank: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil((rank / 100) * sorted.length) - 1)] ?? Number.NaN;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
