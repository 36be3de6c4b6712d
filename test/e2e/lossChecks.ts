/** What must hold when a node is lost and comes back, whatever took it away. */
import { expect } from 'vitest';
import type { Event } from '#gen/shoal/v1/event_pb.js';
import type { TrainingJobStatus } from '#gen/shoal/v1/training_job_pb.js';
import { assert } from '#vocabulary/assert.ts';
import type { Cluster } from './cluster.ts';
import { readHistory } from './history.ts';
import { isAlive } from './processes.ts';
import { eventsOf, getJob, placesOf, printEvents, timeOf, untilEvent, untilJob } from './questions.ts';
import { waitUntil } from './waitUntil.ts';

interface Named {
  readonly node: string;
  readonly job: string;
}

/** How far the first attempt had come when its node was lost. */
export interface Loss {
  readonly lostAtMs: number;
  readonly lastStep: bigint;
  readonly lastCheckpointStep: bigint;
}

/** Once the node is declared lost and the job's first attempt has ended of it. */
export async function readLoss(cluster: Cluster, { node, job }: Named): Promise<Loss> {
  const lost = await untilEvent(cluster, { kind: 'Node', name: node, reason: 'NodeLost' });
  expect(lost.message).toMatch(new RegExp(`^node ${node} silent for \\d+\\.\\d s$`));
  const { attempts } = await untilJob(cluster, job, (status) => status.attempts[0]?.stage === 'Ended', { what: 'ended its first attempt' });
  const [attempt] = attempts;
  assert(attempt !== undefined, 'there was an attempt');
  expect(attempt).toMatchObject({ stopReasons: ['NodeFailure'], chargedToUser: false });
  return { lostAtMs: timeOf(lost), lastStep: attempt.lastStep, lastCheckpointStep: attempt.lastCheckpointStep };
}

/** The second attempt stands at these places, resumed from the newest checkpoint, and makes steps. */
export async function untilRunsElsewhere(cluster: Cluster, job: string, places: readonly string[]): Promise<void> {
  const isGoingOn = ({ attempts, progress }: TrainingJobStatus): boolean =>
    attempts.length === 2 && (progress?.step ?? 0n) > (attempts[1]?.resumedFromStep ?? 0n);
  const { attempts } = await untilJob(cluster, job, isGoingOn, { what: 'makes steps in its second attempt' });
  const [first, second] = attempts;
  assert(first !== undefined && second !== undefined, 'there were two attempts');
  expect(placesOf(second)).toEqual(places);
  expect(second.resumedFromStep).toBe(first.lastCheckpointStep);
}

/** It ends what it still holds before it is ready, and nothing that the old attempt did after the loss counts. */
export async function expectNodeToReturn(
  cluster: Cluster,
  { node, job, pids, loss }: Named & { readonly pids: readonly number[]; readonly loss: Loss },
): Promise<void> {
  const since = async (): Promise<readonly Event[]> => {
    const events = await eventsOf(cluster, 'Node', node);
    return events.slice(events.findIndex(({ reason }) => reason === 'NodeLost'));
  };
  const ready = await waitUntil(async () => (await since()).find(({ reason }) => reason === 'Ready'), {
    what: `node ${node} is ready again`,
    seen: async () => printEvents(await since()),
  });
  expect((await since()).map(({ reason, message }) => `${reason}: ${message}`).slice(1)).toEqual([
    'Returned: still holds 1 workers that it must end first',
    'Ready: takes work',
  ]);
  expect((await Promise.all(pids.map(isAlive))).filter(Boolean)).toEqual([]);
  const old = (await readHistory(cluster.work, job)).filter(({ attempt, pid }) => attempt === 1 && pids.includes(pid));
  expect(old.length).toBeGreaterThan(0);
  expect(Math.max(...old.map(({ atMs }) => atMs))).toBeLessThanOrEqual(timeOf(ready));

  const { status } = await getJob(cluster, job);
  expect(status.attempts[0]).toMatchObject({ lastStep: loss.lastStep, lastCheckpointStep: loss.lastCheckpointStep });
  expect(status.checkpoint?.path ?? '').toMatch(status.checkpoint?.step === loss.lastCheckpointStep ? /attempt-1/ : /attempt-2/);
}
