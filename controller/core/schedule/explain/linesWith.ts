import type { QueueName } from '#vocabulary/ids.ts';
import type { JobView } from '../../state/view.ts';
import type { Kin, Rank } from '../waiting/rank.ts';
import { compareAges, compareRanks } from '../waiting/rank.ts';
import type { WaitingLines } from '../waiting/waitingLines.ts';

/**
 * The lines with one job as it would be: changed, in its place by its age, or new. It is alike nobody. What is not of its
 * queues is the same.
 */
export function linesWith(lines: WaitingLines, subject: JobView, level: number): WaitingLines {
  const ranks = new Map<QueueName, readonly Rank[]>();
  const before = lines.kinOf(subject.uid);
  const ranksOf = (queue: QueueName): readonly Rank[] => ranks.get(queue) ?? lines.ranksOf(queue);
  if (before !== undefined) ranks.set(before.queue, without(ranksOf(before.queue), before, subject));
  const { queue, priority } = subject.spec;
  ranks.set(queue, withOwn(ranksOf(queue), { queue, user: subject.user, priority, level, jobs: [subject] }));
  const queues = new Set([...lines.queues, queue]);
  const { nominated, targeted } = lines;
  return {
    queues,
    ranksOf,
    nominated,
    targeted,
    firsts: function* () {
      for (const each of queues) yield* firstsOf(ranksOf(each));
    },
    kinOf: (uid) => lines.kinOf(uid),
    settle: () => undefined,
  };
}

function* firstsOf(ranks: readonly Rank[]): Generator<JobView> {
  for (const { users } of ranks)
    for (const { kins } of users.values())
      for (const { jobs } of kins) {
        const first = jobs.find(({ phase }) => phase.kind === 'pending');
        if (first !== undefined) yield first;
      }
}

function without(ranks: readonly Rank[], kin: Kin, { uid }: JobView): readonly Rank[] {
  return ranks.flatMap((rank) => {
    if (compareRanks(rank, kin) !== 0) return [rank];
    const jobs = kin.jobs.filter((job) => job.uid !== uid);
    const others = (rank.users.get(kin.user)?.kins ?? []).filter((other) => other !== kin);
    return changedRank(rank, kin, jobs.length === 0 ? others : [...others, { ...kin, jobs }]);
  });
}

function withOwn(ranks: readonly Rank[], own: Kin): readonly Rank[] {
  const none: Rank = { priority: own.priority, level: own.level, users: new Map() };
  const same = ranks.find((rank) => compareRanks(rank, own) === 0) ?? none;
  const changed = changedRank(same, own, [...(same.users.get(own.user)?.kins ?? []), own]);
  return [...ranks.filter((rank) => rank !== same), ...changed].sort(compareRanks);
}

/** With these of the user; none when nobody is left. */
function changedRank(rank: Rank, { user }: Kin, kins: readonly Kin[]): readonly Rank[] {
  const users = new Map(rank.users);
  if (kins.length === 0) users.delete(user);
  else users.set(user, { kins: kins.toSorted(byOldest) });
  return users.size === 0 ? [] : [{ ...rank, users }];
}

function byOldest({ jobs: [left] }: Kin, { jobs: [right] }: Kin): number {
  return left === undefined || right === undefined ? 0 : compareAges(left, right);
}
