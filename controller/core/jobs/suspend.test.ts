import { describe, expect, test } from 'vitest';
import { parseSnapshot } from '#controller/loop/logLine.ts';
import { restoreSnapshot } from '#core/state/snapshot.ts';
import { applyJob, FakeCluster } from '#test/simulation/fakeCluster.ts';
import { generation, jobName, jobUid, nodeName, userName } from '#vocabulary/ids.ts';
import type { ObservedWorker } from '#vocabulary/observed.ts';

/** What a worker's one rank says: its step, and its answer to a round. */
interface Word {
  readonly step: number;
  readonly round?: number;
  readonly accepted?: boolean;
  readonly stepSeconds?: number;
}

/** Two workers run and are asked to leave; each word is said by hand. */
function leaving(stepSeconds = 1) {
  const cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 2 }]);
  cluster.step([applyJob('a', { workers: 2 })]);
  const say = (...words: readonly (Word | 'gone' | null)[]): string => {
    const workers = words.flatMap((word, worker): readonly ObservedWorker[] => {
      const id = { job: jobUid('uid-a'), attempt: 1, worker };
      if (word === null) return [];
      if (word === 'gone') return [{ id, state: { kind: 'ended', reason: 'killed', message: '' }, ranks: [] }];
      const { step, round, accepted = true } = word;
      const progress = { step, loss: null, tokens: null, stepSeconds };
      const suspendAnswer = round === undefined ? null : { round, accepted };
      return [
        {
          id,
          state: { kind: 'running' },
          ranks: [{ rank: worker, state: { kind: 'running', pid: 1 }, progress, checkpoint: null, suspendAware: true, suspendAnswer }],
        },
      ];
    });
    cluster.step([
      { kind: 'report', node: nodeName('n1'), report: { sequence: 1, generation: generation(0), workers, gpuHealth: [], samples: [] } },
    ]);
    return stage();
  };
  const stage = (): string => {
    const attempt = cluster.job('a').attempts[0];
    if (attempt?.stage.kind !== 'suspending') return attempt?.end?.reasons.join('+') ?? attempt?.stage.kind ?? '';
    const { round, stage: now } = attempt.stage;
    return `${round} ${now.kind}${now.kind === 'ask' ? '' : ` ${now.stopStep}`}`;
  };
  say({ step: 1 }, { step: 1 });
  cluster.step([{ kind: 'suspendJob', name: jobName('a'), user: userName('bob') }]);
  return { cluster, say, stage };
}

describe('how all ranks come to stop at one step', () => {
  test('nothing is proposed before every worker has answered', () => {
    const { say, stage } = leaving();
    expect(stage()).toBe('1 ask');
    expect(say({ step: 10, round: 1 }, { step: 9 })).toBe('1 ask');
    expect(say(null, { step: 9, round: 1 })).toBe('2 propose 12');
  });

  test('the step lies ahead of the foremost rank, the further the faster its steps are', () => {
    const { say } = leaving(0.01);
    // Half a second at a hundredth of a second a step.
    expect(say({ step: 10, round: 1 }, { step: 30, round: 1 })).toBe('2 propose 80');
  });

  test('it is decided when all accept', () => {
    const { say } = leaving();
    say({ step: 10, round: 1 }, { step: 10, round: 1 });
    expect(say({ step: 11, round: 2 }, null)).toBe('2 propose 12');
    expect(say(null, { step: 11, round: 2 })).toBe('3 decided 12');
  });

  test('one that had passed the step already is enough for a later proposal', () => {
    const { say } = leaving();
    say({ step: 10, round: 1 }, { step: 10, round: 1 });
    expect(say({ step: 11, round: 2 }, { step: 13, round: 2, accepted: false })).toBe('3 propose 15');
    expect(say({ step: 12, round: 3 }, { step: 13, round: 3 })).toBe('4 decided 15');
  });

  test('an answer to an older round is none', () => {
    const { say } = leaving();
    say({ step: 10, round: 1 }, { step: 10, round: 1 });
    expect(say({ step: 10, round: 1 }, { step: 10, round: 1 })).toBe('2 propose 12');
  });

  test('the first answer of a round counts', () => {
    const { say } = leaving();
    say({ step: 10, round: 1 }, { step: 10, round: 1 });
    say({ step: 13, round: 2, accepted: false }, null);
    expect(say({ step: 13, round: 2, accepted: true }, { step: 10, round: 2 })).toBe('3 propose 15');
  });

  test('a worker that has left by itself is not waited for', () => {
    const { say } = leaving();
    expect(say({ step: 10, round: 1 }, null)).toBe('1 ask');
    expect(say(null, 'gone')).toBe('2 propose 12');
    expect(say('gone', null)).toBe('Suspended');
  });

  test('the stages go on from the log alone: another leader decides the same', () => {
    const { say, cluster } = leaving();
    say({ step: 10, round: 1 }, { step: 10, round: 1 });
    say({ step: 11, round: 2 }, null);
    const restored = restoreSnapshot(parseSnapshot(cluster.replay()));
    expect(restored.jobs.get(jobUid('uid-a'))?.attempts[0]?.stage).toMatchObject({
      round: 2,
      stage: { kind: 'propose', stopStep: 12 },
      answers: new Map([[0, { accepted: true, step: 11 }]]),
    });
  });
});
