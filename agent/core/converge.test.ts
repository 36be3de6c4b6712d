import { describe, expect, it } from 'vitest';
import type { AssignedWorker, Assignment, Desire } from '#vocabulary/assignment.ts';
import { epoch, generation } from '#vocabulary/ids.ts';
import { acceptAssignment, acceptEpoch } from './acceptAssignment.ts';
import { converge, nextWakeMs } from './converge.ts';
import { entriesBetween, entriesOf, restoreState, type JournalEntry } from './journalEntry.ts';
import { emptyNodeState, type NodeState } from './nodeState.ts';
import { observe } from './observe.ts';
import { onCheckpoint, onProgress, onReleased } from './onProgram.ts';
import { onRankFate, onTreeSeen } from './onRuntime.ts';
import { assign, brief, endAll, gone, settle, stateOf, worker } from './testing/coreSteps.ts';

describe('starts', () => {
  it('admits a worker durably before it starts its ranks', () => {
    const { actions } = settle(assign(emptyNodeState, [worker('a', { processes: 2, gpus: [0, 1] })]), 0);
    expect(brief(actions)).toEqual(['admit a', 'start a']);
  });

  it('starts nothing while GPUs are held by a worker whose end is not confirmed, and starts once it is', () => {
    const old = worker('old');
    let { state } = settle(assign(emptyNodeState, [old]), 0);
    const replaced = settle(assign(state, [worker('new')]), 0);
    expect(brief(replaced.actions)).toEqual(['kill old']);
    state = settle(endAll(replaced.state, old.id, null, 'SIGKILL'), 0).state;
    expect(state.workers.has('new/1/0')).toBe(false);
    expect(brief(settle(gone(state, old.id), 0).actions)).toEqual(['forget old', 'admit new', 'start new']);
  });

  it('starts as many workers on one GPU as it has parts for, and the next one when a part is free', () => {
    const shares = [worker('a', { share: 300 }), worker('b', { share: 700 }), worker('c', { share: 300 }), worker('whole')];
    const { state, actions } = settle(assign(emptyNodeState, shares), 0);
    expect(brief(actions)).toEqual(['admit a', 'admit b', 'start a', 'start b']);
    const [a] = shares;
    if (a === undefined) throw new Error('no worker');
    const ended = gone(settle(endAll(state, a.id, 0), 0).state, a.id);
    expect(brief(converge(ended, 0))).toEqual(['admit c']);
  });

  it('starts other workers on free GPUs meanwhile', () => {
    const { state } = settle(assign(emptyNodeState, [worker('old', { gpus: [0] })]), 0);
    expect(brief(settle(assign(state, [worker('new', { gpus: [1] })]), 0).actions)).toEqual(['kill old', 'admit new', 'start new']);
  });

  it('starts nothing out of an assignment that only the journal told', () => {
    const assigned = assign(emptyNodeState, [worker('a')]);
    const restored = restoreState(entriesOf(assigned));
    expect(converge(restored, 0)).toEqual([]);
    expect(brief(settle(assign(restored, [worker('a')], { generation: 1 }), 0).actions)).toEqual(['admit a', 'start a']);
  });

  it('never starts a worker that it has forgotten, and says so', () => {
    const a = worker('a');
    let { state } = settle(assign(emptyNodeState, [a]), 0);
    state = settle(gone(settle(endAll(state, a.id, 0), 0).state, a.id), 0).state;
    state = settle(assign(state, []), 0).state;
    expect(observe(state)).toEqual([]);
    const again = settle(assign(state, [a], { epoch: 5, generation: 1 }), 0);
    expect(brief(again.actions)).toEqual(['admit a']);
    expect(stateOf(again.state, a.id)).toMatchObject({ kind: 'ended', reason: 'vanished' });
    const forgottenAgain = settle(assign(again.state, []), 0).state;
    const journal = [...entriesOf(state), ...entriesBetween(state, again.state), ...entriesBetween(again.state, forgottenAgain)];
    expect(observe(restoreState(journal))).toEqual([]);
  });

  it('reports a worker as killed that was to leave before it had started', () => {
    const a = worker('a', { desire: { kind: 'stop', graceMs: 1000, reason: 'x' } });
    const { state, actions } = settle(assign(emptyNodeState, [a]), 0);
    expect(brief(actions)).toEqual(['admit a']);
    expect(stateOf(state, a.id)).toMatchObject({ kind: 'ended', reason: 'killed' });
  });
});

describe('ends', () => {
  it('keeps an end in the observed set until the assignment no longer names the worker', () => {
    const a = worker('a');
    let { state } = settle(assign(emptyNodeState, [a]), 0);
    state = gone(settle(endAll(state, a.id, 0), 0).state, a.id);
    expect(settle(state, 0).actions).toEqual([]);
    expect(stateOf(state, a.id)).toEqual({ kind: 'ended', reason: 'exited', message: '' });
    expect(brief(settle(assign(state, []), 0).actions)).toEqual(['forget a']);
  });

  it('kills the other ranks when one fails, and the worker has exited by itself', () => {
    const a = worker('a', { processes: 2, gpus: [0, 1] });
    let { state } = settle(assign(emptyNodeState, [a]), 0);
    const failed = settle(onRankFate(state, a.id, 1, { kind: 'ended', exitCode: 3, signal: null }), 0);
    expect(brief(failed.actions)).toEqual(['kill a']);
    expect(stateOf(failed.state, a.id)).toEqual({ kind: 'stopping' });
    state = onRankFate(failed.state, a.id, 0, { kind: 'ended', exitCode: null, signal: 'SIGKILL' });
    state = gone(settle(state, 0).state, a.id);
    expect(stateOf(state, a.id)).toEqual({ kind: 'ended', reason: 'exited', message: 'rank 1 exited with status 3' });
  });

  it('lets the other ranks go on when one ends well', () => {
    const a = worker('a', { processes: 2, gpus: [0, 1] });
    const { state } = settle(assign(emptyNodeState, [a]), 0);
    expect(settle(onRankFate(state, a.id, 1, { kind: 'ended', exitCode: 0, signal: null }), 0).actions).toEqual([]);
  });

  it('tells a launch that failed with its message', () => {
    const a = worker('a');
    let { state } = settle(assign(emptyNodeState, [a]), 0, { launches: false });
    state = onRankFate(state, a.id, 0, { kind: 'failed', message: 'no such file: x' });
    state = gone(settle(state, 0).state, a.id);
    expect(stateOf(state, a.id)).toEqual({ kind: 'ended', reason: 'launch-failed', message: 'rank 0: no such file: x' });
  });

  it('kills what outlives its ranks before it confirms the end', () => {
    const a = worker('a');
    let { state } = settle(assign(emptyNodeState, [a]), 0);
    state = settle(endAll(state, a.id, 0), 0).state;
    state = onTreeSeen(state, a.id, { alive: true, nowMs: 50 });
    const second = settle(state, 50);
    expect(second.actions).toEqual([{ kind: 'confirm', id: a.id, tries: 1 }]);
    state = onTreeSeen(second.state, a.id, { alive: true, nowMs: 60 });
    expect(nextWakeMs(state)).toBe(160);
    expect(stateOf(state, a.id)).toEqual({ kind: 'stopping' });
  });

  it('asks by SIGTERM, and kills when the grace is over', () => {
    const a = worker('a');
    const started = settle(assign(emptyNodeState, [a]), 0).state;
    const stopped = settle(assign(started, [{ ...a, desire: { kind: 'stop', graceMs: 1000, reason: 'x' } }]), 10);
    expect(brief(stopped.actions)).toEqual(['terminate a']);
    expect(nextWakeMs(stopped.state)).toBe(1010);
    expect(settle(stopped.state, 1009).actions).toEqual([]);
    const killed = settle(stopped.state, 1010);
    expect(brief(killed.actions)).toEqual(['kill a']);
    expect(stateOf(gone(settle(endAll(killed.state, a.id, null, 'SIGKILL'), 0).state, a.id), a.id)).toMatchObject({ reason: 'killed' });
  });

  it('shortens a grace that runs, and never lengthens it', () => {
    const a = worker('a');
    const stop = (graceMs: number): AssignedWorker => ({ ...a, desire: { kind: 'stop', graceMs, reason: 'x' } });
    let state = settle(assign(settle(assign(emptyNodeState, [a]), 0).state, [stop(1000)]), 0).state;
    state = settle(assign(state, [stop(9000)]), 100).state;
    expect(nextWakeMs(state)).toBe(1000);
    state = settle(assign(state, [stop(300)]), 100).state;
    expect(nextWakeMs(state)).toBe(400);
    expect(brief(settle(assign(state, [stop(0)]), 100).actions)).toEqual(['kill a']);
  });
});

describe('epochs and generations', () => {
  const at = (e: number, g: number): Assignment => ({ epoch: epoch(e), generation: generation(g), workers: [] });
  it.each([
    [3, 7, 2, 9, false],
    [3, 7, 3, 6, false],
    [3, 7, 3, 7, true],
    [3, 7, 3, 8, true],
    [3, 7, 4, 1, true],
  ])('having seen %i/%i, %i/%i is taken: %s', (seenEpoch, seenGeneration, e, g, want) => {
    const state = { ...emptyNodeState, seen: { epoch: epoch(seenEpoch), generation: generation(seenGeneration) } };
    expect(acceptAssignment(state, at(e, g)).ok).toBe(want);
  });

  it('a leader of an older epoch is refused, and a newer one makes older assignments void', () => {
    const welcomed = acceptEpoch({ ...emptyNodeState, seen: { epoch: epoch(3), generation: generation(7) } }, epoch(4));
    expect(welcomed.ok && acceptAssignment(welcomed.state, at(3, 8)).ok).toBe(false);
    expect(welcomed.ok && acceptEpoch(welcomed.state, epoch(3)).ok).toBe(false);
    expect(welcomed.ok && acceptAssignment(welcomed.state, at(4, 1)).ok).toBe(true);
  });
});

describe('a suspension', () => {
  const suspend = (round: number, stage: { kind: 'ask' } | { kind: 'propose' | 'decided'; stopStep: number }, graceMs = 1000): Desire => ({
    kind: 'suspend',
    round,
    stage,
    graceMs,
  });
  const a = worker('a');
  const withDesire = (desire: Desire): AssignedWorker => ({ ...a, desire });
  const at = (step: number) => (state: NodeState) =>
    onReleased(onProgress(state, a.id, 0, { step, loss: null, tokens: null, stepSeconds: null }), a.id, 0, step);
  const started = settle(assign(emptyNodeState, [a]), 0).state;
  const answer = (state: NodeState) => state.workers.get('a/1/0')?.ranks[0]?.answer;

  it('ends a program that does not know of it by SIGTERM, grace, SIGKILL', () => {
    const asked = settle(assign(started, [withDesire(suspend(1, { kind: 'ask' }))]), 0);
    expect(brief(asked.actions)).toEqual(['suspend a', 'terminate a']);
    expect(brief(settle(asked.state, 1000).actions)).toEqual(['kill a']);
  });

  it('answers every round, and refuses a step that was passed', () => {
    let state = settle(assign(at(7)(started), [withDesire(suspend(1, { kind: 'ask' }))]), 0).state;
    expect(answer(state)).toEqual({ round: 1, accepted: true });
    state = settle(assign(state, [withDesire(suspend(2, { kind: 'propose', stopStep: 7 }))]), 0).state;
    expect(answer(state)).toEqual({ round: 2, accepted: false });
    state = settle(assign(state, [withDesire(suspend(3, { kind: 'propose', stopStep: 8 }))]), 0).state;
    expect(answer(state)).toEqual({ round: 3, accepted: true });
  });

  it('counts the grace from the first round, then sends SIGTERM and 5 s later SIGKILL', () => {
    let state = settle(assign(at(7)(started), [withDesire(suspend(1, { kind: 'ask' }))]), 0).state;
    state = settle(assign(state, [withDesire(suspend(2, { kind: 'decided', stopStep: 9 }))]), 900).state;
    const late = settle(state, 1000);
    expect(brief(late.actions)).toEqual(['terminate a']);
    expect(nextWakeMs(late.state)).toBe(6000);
    expect(brief(settle(late.state, 6000).actions)).toEqual(['kill a']);
  });

  it('can be taken back while nobody was told to stop', () => {
    const asked = settle(assign(at(7)(started), [withDesire(suspend(1, { kind: 'ask' }))]), 0).state;
    const back = settle(assign(asked, [a]), 5);
    expect(brief(back.actions)).toEqual(['unsuspend a']);
    expect(nextWakeMs(back.state)).toBe(null);
  });

  it('knows a checkpoint of a journal in which none said how long it took', () => {
    const saved = onCheckpoint(started, a.id, 0, { step: 7, path: '/ck/7', scope: 'rank', tookMs: 5 });
    const old: JournalEntry[] = JSON.parse(
      JSON.stringify([...entriesOf(saved)], (key, value: unknown) => (key === 'tookMs' ? undefined : value)),
    );
    const checkpointOf = (state: NodeState) => [...state.workers.values()][0]?.ranks[0]?.checkpoint;
    expect(checkpointOf(restoreState(entriesOf(saved)))).toEqual({ step: 7, path: '/ck/7', scope: 'rank', tookMs: 5 });
    expect(checkpointOf(restoreState(old))).toEqual({ step: 7, path: '/ck/7', scope: 'rank', tookMs: null });
  });

  it('waits for the next post when an agent that died had answered posts', () => {
    const restored = restoreState(entriesOf(at(7)(started)));
    let state = settle(assign(restored, [withDesire(suspend(1, { kind: 'propose', stopStep: 8 }))]), 0).state;
    expect(answer(state)).toBe(null);
    const posted = (step: number) =>
      answer(settle(onProgress(state, a.id, 0, { step, loss: null, tokens: null, stepSeconds: null }), 0).state);
    expect([posted(7), posted(8), posted(9)].map((each) => each?.accepted)).toEqual([true, true, false]);
    state = settle(onProgress(state, a.id, 0, { step: 8, loss: null, tokens: null, stepSeconds: null }), 0).state;
    expect(answer(restoreState(entriesOf(state)))).toEqual({ round: 1, accepted: true });
  });
});
