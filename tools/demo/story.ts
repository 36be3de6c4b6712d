/** What the demo does once the cluster stands: train, lose a node, resume, finish. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrainingJobSpec } from '#gen/shoal/v1/training_job_pb.js';
import type { Cluster } from './cluster.ts';
import { runShoal } from './command.ts';
import { markOf } from './ground.ts';
import { movesBetween, stepsLost, summaryOf } from './jobView.ts';
import type { DemoOptions } from './options.ts';
import { endHard, processesWithPath } from './processes.ts';
import type { Screen } from './screen.ts';
import { Watcher, type Seen } from './watchJob.ts';

/** The rank whose node is lost. */
const victimRank = 2;
/** Steps after a checkpoint at which the node is lost: then something is lost that the checkpoint does not have. */
const stepsAfterCheckpoint = 5n;

export async function tellStory(cluster: Cluster, options: DemoOptions, screen: Screen, signal: AbortSignal): Promise<void> {
  const { client, ground } = cluster;
  const { env } = ground;
  const watcher = new Watcher(client, screen);
  await watcher.untilNodesReady(cluster.agents.size, signal);
  await runShoal({ words: ['get', 'nodes'], env }, screen, signal);
  screen.say('');
  const manifest = await manifestOf(cluster, options);
  await runShoal({ words: ['apply', '-f', 'examples/queue.yaml', '-f', manifest], env }, screen, signal);
  screen.say('');
  const running = await watcher.until('it was half-way', isHalfWay, signal);
  await loseNode(cluster, running, watcher, signal);
  const resumed = await watcher.until('it resumed', hasResumed, signal);
  tellResumption(resumed, watcher);
  const done = await watcher.until('it succeeded', ({ status }) => status.phase === 'Succeeded', signal);
  screen.settle();
  watcher.tell(`done, final loss ${done.status.progress?.loss?.toFixed(4) ?? '?'}`);
  screen.say('');
  for (const line of summaryOf(done)) screen.say(line);
  screen.say('');
  await runShoal({ words: ['get', 'nodes'], env }, screen, signal);
}

/** The manifest as it is in the repository, or a copy with another number of steps. */
async function manifestOf({ ground }: Cluster, { steps }: DemoOptions): Promise<string> {
  const original = 'examples/train-gpt/job.yaml';
  if (steps === null) return original;
  const path = join(ground.folder, 'job.yaml');
  const text = await readFile(join(import.meta.dirname, '..', '..', original), 'utf8');
  await writeFile(path, text.replace(/(--steps, )"\d+"/, `$1"${steps}"`));
  return path;
}

function isHalfWay({ spec, status }: Seen): boolean {
  const { progress, checkpoint } = status;
  if (status.phase !== 'Running' || progress === undefined || checkpoint === undefined || checkpoint.step === 0n) return false;
  return progress.step >= halfOf(spec) && progress.step >= checkpoint.step + stepsAfterCheckpoint;
}

function halfOf(spec: TrainingJobSpec | undefined): bigint {
  const words = spec?.template?.command ?? [];
  const steps = Number(words[words.indexOf('--steps') + 1] ?? Number.NaN);
  return Number.isSafeInteger(steps) ? BigInt(Math.floor(steps * 0.45)) : 0n;
}

/** As if its power had gone: the agent and every process of its ranks, all at once, without a word to anybody. */
async function loseNode(cluster: Cluster, job: Seen, watcher: Watcher, signal: AbortSignal): Promise<void> {
  const node = job.status.ranks.find(({ rank }) => rank === victimRank)?.node ?? '';
  const agent = cluster.agents.get(node);
  if (agent === undefined) throw new Error(`rank ${victimRank} stands on no node of the demo ("${node}")`);
  const held = job.status.ranks.filter((rank) => rank.node === node).map(({ rank }) => rank);
  const uid = job.metadata?.uid ?? '';
  const ranks = (await processesWithPath(markOf(cluster.ground.folder))).filter(
    ({ env }) => env.get('SHOAL_JOB_UID') === uid && held.includes(Number(env.get('SHOAL_RANK'))),
  );
  signal.throwIfAborted();
  if (ranks.length < held.length) throw new Error(`found ${ranks.length} processes of ranks ${held.join(', ')} on ${node}`);
  watcher.tell(
    `>>> killing node ${node} at step ${job.status.progress?.step ?? '?'}: its agent and ranks ${held.join(', ')}, as if its power had gone`,
  );
  endHard([agent.pid, ...ranks.map(({ pid }) => pid)]);
}

/** Progress may still be that of the attempt before; the attempt's own step is not. */
function hasResumed({ status }: Seen): boolean {
  const attempt = status.attempts.at(-1);
  return status.attempts.length > 1 && status.phase === 'Running' && attempt !== undefined && attempt.lastStep > attempt.resumedFromStep;
}

function tellResumption({ status }: Seen, watcher: Watcher): void {
  const [before] = status.attempts;
  const after = status.attempts.at(-1);
  if (before === undefined || after === undefined || after === before) return;
  watcher.tell(`attempt ${before.number} ended: ${before.stopReasons.join(', ')}; it had reached step ${before.lastStep}`);
  watcher.tell(
    `attempt ${after.number} resumed from step ${after.resumedFromStep} (${stepsLost(before, after)} steps lost); ${movesBetween(before, after).join(', ')}`,
  );
}
