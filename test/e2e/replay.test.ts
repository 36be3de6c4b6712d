/** The stored log of a run folds to the state that the controller had, by any way there is to fold it. */
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { test } from './linuxTest.ts';
import { apply as applyEvent } from '#core/state/apply.ts';
import { printSnapshot } from '#core/state/snapshot.ts';
import { emptyState } from '#core/state/emptyState.ts';
import type { StampedEvent } from '#core/events.ts';
import { openSqliteStore } from '#controller/adapters/sqlite/sqliteStore.ts';
import { defaultPolicy } from '#controller/limits.ts';
import { parseLine } from '#controller/loop/logLine.ts';
import { recover } from '#controller/loop/recover.ts';
import type { Snapshot, Store, StoredLine } from '#controller/ports/store.ts';
import { assert } from '#vocabulary/assert.ts';
import { revision } from '#vocabulary/ids.ts';
import { fourNodes, withCluster } from './cluster.ts';
import { job, training } from './jobs.ts';
import { create, untilFinished, untilJob, untilStep } from './questions.ts';

const { recentEventsMax } = defaultPolicy;

/** All that a stopped controller left: read and closed again. */
async function readStore(folder: string): Promise<{
  readonly lines: readonly StoredLine[];
  readonly snapshot: Snapshot | null;
  readonly recovered: string;
  readonly epoch: number;
}> {
  const store: Store = await openSqliteStore({ folder });
  try {
    const { epoch } = await store.head();
    return {
      lines: await store.read(revision(0), 1_000_000),
      snapshot: await store.loadSnapshot(),
      recovered: printSnapshot(await recover(store, recentEventsMax)),
      epoch,
    };
  } finally {
    await store.close();
  }
}

/** From nothing, without any snapshot. */
function fold(events: readonly StampedEvent[]): string {
  const state = emptyState();
  for (const event of events) applyEvent(state, event, recentEventsMax);
  return printSnapshot(state);
}

test('the log of a run with faults folds to the same state with and without snapshots, has no gaps, and its epochs grow', async () => {
  await withCluster({ nodes: fourNodes }, async (cluster) => {
    await create(cluster, training({ name: 'suspended', workers: 2, gpusPerWorker: 2, out: cluster.work, steps: 10_000 }));
    await create(cluster, training({ name: 'whole', workers: 2, out: cluster.work, steps: 40 }));
    await create(cluster, job({ name: 'failing', command: ['/bin/sh', '-c', 'exit 1'], spec: { restarts: { max: 2 } } }));
    await untilStep(cluster, 'suspended', 5);
    await cluster.controller.kill();
    await cluster.startController();
    await cluster.client.suspend({ job: 'suspended' });
    await untilJob(cluster, 'suspended', ({ phase }) => phase === 'Suspended', { what: 'is suspended' });
    await untilFinished(cluster, 'whole', 'Succeeded');
    await untilFinished(cluster, 'failing', 'Failed');
    await cluster.client.cordon({ node: 'n4', reason: 'a test' });
    for (const node of fourNodes) await cluster.agent(node.name).stop();

    // Killed: there is no snapshot of the end.
    await cluster.controller.kill();
    const copy = join(cluster.folder, 'copy');
    await cp(cluster.controllerData, copy, { recursive: true });
    const killed = await readStore(copy);
    const events = killed.lines.map(({ line }) => parseLine(line));
    expect(killed.lines.map((line) => Number(line.revision))).toEqual(events.map((_, at) => at + 1));
    expect(fold(events)).toBe(killed.recovered);
    const epochs = events.flatMap((event) => (event.kind === 'LeaderElected' ? [Number(event.epoch)] : []));
    expect(epochs).toEqual([1, 2]);
    expect(killed.epoch).toBe(2);
    expect(events.map(({ atMs }) => atMs)).toEqual(events.map(({ atMs }) => atMs).toSorted((left, right) => left - right));

    // Stopped well: the next one starts from the snapshot, and comes to what the log says.
    await cluster.startController();
    await cluster.controller.stop();
    const stopped = await readStore(cluster.controllerData);
    assert(stopped.snapshot !== null, 'a controller that is stopped leaves a snapshot');
    expect(stopped.lines.slice(0, killed.lines.length).map(({ line }) => line)).toEqual(killed.lines.map(({ line }) => line));
    const all = stopped.lines.map(({ line }) => parseLine(line));
    expect(Number(stopped.snapshot.revision)).toBe(all.length);
    expect(fold(all)).toBe(stopped.recovered);
    expect(stopped.snapshot.body).toBe(stopped.recovered);
    expect(await readFile(join(cluster.controllerData, 'context.json'), 'utf8')).toContain(cluster.context.caPem.split('\n')[1]);
  });
});
