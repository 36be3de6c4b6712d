import { describeSizes, isAllowedSize } from '#vocabulary/elastic.ts';
import { milliPerGpu } from '#vocabulary/job.ts';
import { domainKey } from '#vocabulary/topology.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import { findLedgerErrors } from './ledger/findLedgerErrors.ts';
import type { Policy } from './context.ts';
import { latestEndMs } from './jobs/endings.ts';
import { currentAttempt } from './state/state.ts';
import { isEntitled, mayBeGuest } from './reservations/mayRun.ts';
import type { AttemptView, JobView, StateView } from './state/view.ts';

/**
 * What must hold after every step, checked from the records and not from the indices that decisions use.
 * Each broken promise is one sentence; empty when all hold. For tests, the simulator and `shoal` self-checks: O(state).
 */
export function findBrokenPromises(state: StateView, policy: Pick<Policy, 'levels'>): readonly string[] {
  return [
    ...checkHolds(state),
    ...checkSlots(state),
    ...checkGangs(state, policy),
    ...checkExclusive(state, policy),
    ...checkPending(state),
    ...checkEndings(state),
    ...checkReservations(state),
    ...checkSpares(state),
    ...findLedgerErrors(state),
  ];
}

/** Placements never take more of a GPU than there is, and the index of holds says the same as the placements. */
function* checkHolds(state: StateView): Generator<string> {
  const holds = new Map<string, Map<string, number>>();
  for (const job of state.jobs.values()) {
    for (const { node, gpus } of currentAttempt(job)?.placement ?? []) {
      for (const gpu of gpus) {
        const key = `${node}/${gpu}`;
        const parts = holds.get(key) ?? new Map<string, number>();
        holds.set(key, parts.set(job.uid, (parts.get(job.uid) ?? 0) + milliPerGpu(job.spec)));
      }
    }
  }
  for (const [key, parts] of holds) {
    const sum = [...parts.values()].reduce((total, milli) => total + milli, 0);
    if (sum > gpuMilliPerGpu) yield `GPU ${key} is given away more than once: ${printHolds(parts)}`;
  }
  for (const node of state.nodes.values()) {
    for (const [gpu, index] of node.holds.entries()) {
      const key = `${node.name}/${gpu}`;
      const said = printHolds(index.map(({ job, milli }): [string, number] => [job, milli]));
      const want = printHolds(holds.get(key) ?? []);
      if (said !== want) yield `GPU ${key}: index says ${said}, placements say ${want}`;
    }
  }
}

/** A slot has one worker, who asked for its profile, and on a GPU that is divided nobody has anything else. */
function* checkSlots(state: StateView): Generator<string> {
  const given = new Map<string, string>();
  for (const job of state.jobs.values()) {
    for (const { node, gpus, slot } of currentAttempt(job)?.placement ?? []) {
      const infos = state.nodes.get(node)?.inventory.gpus.filter((info) => gpus.includes(info.index)) ?? [];
      for (const { index, slots } of infos) {
        const profile = slots?.find(({ uuid }) => uuid === slot)?.profile ?? null;
        if (profile !== job.spec.gpuProfile || (profile === null) !== (slots === undefined))
          yield `job ${job.name} wants ${job.spec.gpuProfile ?? 'no slot'}, and has ${profile ?? 'none'} of GPU ${index} of ${node}`;
      }
      if (slot === undefined) continue;
      const key = `${node}/${slot}`;
      if (given.has(key)) yield `slot ${key} is given to ${given.get(key) ?? ''} and to ${job.name}`;
      given.set(key, job.name);
    }
  }
}

/** `uid-a 300, uid-b 700`, by uid. */
function printHolds(parts: Iterable<readonly [string, number]>): string {
  const words = [...parts].sort(([left], [right]) => (left < right ? -1 : 1)).map(([job, milli]) => `${job} ${milli}`);
  return words.length === 0 ? 'nobody' : words.join(', ');
}

/** A gang is whole or absent, inside the levels that it requires, and its attempts are numbered in order. */
function* checkGangs(state: StateView, policy: Pick<Policy, 'levels'>): Generator<string> {
  for (const job of state.jobs.values()) {
    const attempt = currentAttempt(job);
    if (job.attempts.some((other, index) => other.number !== index + 1)) yield `job ${job.name}: attempts are not numbered in order`;
    if (job.attempts.slice(0, -1).some((other) => other.stage.kind !== 'ended')) yield `job ${job.name}: an older attempt has not ended`;
    if (attempt === undefined) continue;
    if (!isAllowedSize(job.spec, attempt.placement.length))
      yield `job ${job.name}: ${attempt.placement.length} of ${describeSizes(job.spec)} workers are placed`;
    if (attempt.placement.some((place) => place.gpus.length !== job.spec.gpusPerWorker))
      yield `job ${job.name}: a worker has another number of GPUs than ${job.spec.gpusPerWorker}`;
    yield* checkModel(state, job, attempt);
    yield* checkLevels(state, policy, job, attempt);
    yield* checkParts(state, policy, job, attempt);
  }
}

/** A GPU that has left its node's inventory says nothing of its model. */
function* checkModel(state: StateView, job: JobView, attempt: AttemptView): Generator<string> {
  for (const { node: name, gpus } of attempt.placement) {
    for (const info of state.nodes.get(name)?.inventory.gpus ?? []) {
      if (gpus.includes(info.index) && info.model !== attempt.model)
        yield `job ${job.name} runs on ${attempt.model}, and GPU ${info.index} of ${name} is ${info.model}`;
    }
  }
}

function* checkLevels(state: StateView, policy: Pick<Policy, 'levels'>, job: JobView, attempt: AttemptView): Generator<string> {
  for (const { level, mode } of job.spec.constraints) {
    if (mode !== 'required') continue;
    const domains = new Set(domainsOf(state, policy, attempt, level));
    if (domains.size > 1) yield `job ${job.name} must be inside one ${level} and is in ${[...domains].join(', ')}`;
  }
}

/** Each segment is inside one domain of its level, and no domain has more workers than the job's spread allows. */
function* checkParts(state: StateView, policy: Pick<Policy, 'levels'>, job: JobView, attempt: AttemptView): Generator<string> {
  const { segments, spread } = job.spec;
  for (const { level, workers } of segments) {
    const domains = domainsOf(state, policy, attempt, level);
    if (domains.some((domain, worker) => domain !== domains[worker - (worker % workers)]))
      yield `job ${job.name}: a segment of ${workers} is torn over ${level}s`;
  }
  if (spread === null) return;
  const counts = Map.groupBy(domainsOf(state, policy, attempt, spread.level), (domain) => domain);
  for (const [domain, here] of counts) {
    if (here.length > spread.max) yield `job ${job.name}: ${here.length} workers are in ${domain}, and ${spread.max} are the most`;
  }
}

/** Where a job wants whole domains for itself nobody else is. */
function* checkExclusive(state: StateView, policy: Pick<Policy, 'levels'>): Generator<string> {
  const running = [...state.jobs.values()].flatMap((job) => {
    const attempt = currentAttempt(job);
    return attempt === undefined ? [] : [{ job, attempt }];
  });
  for (const { job, attempt } of running) {
    const level = job.spec.exclusive;
    if (level === null) continue;
    const own = new Set(domainsOf(state, policy, attempt, level));
    const beside = running.filter(
      (other) => other.job !== job && domainsOf(state, policy, other.attempt, level).some((one) => own.has(one)),
    );
    if (beside.length > 0)
      yield `job ${job.name} wants its ${level} for itself, and ${beside.map((other) => other.job.name).join(', ')} is there`;
  }
}

/** Of the level, where each worker is. */
function domainsOf(state: StateView, { levels }: Pick<Policy, 'levels'>, attempt: AttemptView, level: string): readonly string[] {
  const depth = levels.indexOf(level) + 1;
  return attempt.placement.map(({ node }) => domainKey([...(state.nodes.get(node)?.inventory.path ?? []), node], depth));
}

function* checkPending(state: StateView): Generator<string> {
  const waiting = [...state.jobs.values()].filter((job) => job.phase.kind === 'pending').map((job) => job.uid);
  const listed = new Set(state.pending);
  if (listed.size !== state.pending.length || waiting.length !== listed.size || !waiting.every((uid) => listed.has(uid)))
    yield 'the list of waiting jobs differs from the jobs that wait';
}

/** On nodes of a reservation that is under way is nobody but those who may be there, and those who are leaving. */
function* checkReservations(state: StateView): Generator<string> {
  for (const node of state.nodes.values()) {
    if (node.reserved === null) continue;
    const reservation = state.reservations.get(node.reserved.name);
    if (reservation?.isOpen !== true || reservation.spec.purpose !== node.reserved.purpose)
      yield `node ${node.name} is marked for reservation ${node.reserved.name}, which is not under way`;
    for (const uid of reservation === undefined ? [] : node.jobs) {
      const job = state.jobs.get(uid);
      if (reservation === undefined || job === undefined) continue;
      const stage = currentAttempt(job)?.stage.kind;
      const mayBe = isEntitled(state, reservation.spec, job) || mayBeGuest(reservation.spec, job);
      if (!mayBe && stage !== 'suspending' && stage !== 'stopping')
        yield `job ${job.name} runs on ${node.name}, which reservation ${reservation.name} keeps`;
    }
  }
}

/** The indices of spares say what nodes and jobs say. */
function* checkSpares(state: StateView): Generator<string> {
  const spares = [...state.nodes.values()].filter(({ spare }) => spare !== null).map(({ name }) => name);
  if (spares.length !== state.spares.size || !spares.every((name) => state.spares.has(name)))
    yield 'the list of spare nodes differs from the nodes that are spares';
  const sparing = [...state.jobs.values()].filter(({ spec, phase }) => spec.spares > 0 && phase.kind !== 'finished').map(({ uid }) => uid);
  if (sparing.length !== state.sparing.size || !sparing.every((uid) => state.sparing.has(uid)))
    yield 'the list of jobs that want spares differs from the jobs';
}

function* checkEndings(state: StateView): Generator<string> {
  const { atMs, order } = state.endings;
  for (const job of state.jobs.values()) {
    const want = latestEndMs(job);
    if (want !== (atMs.get(job.uid) ?? null)) yield `job ${job.name} ends by ${want ?? 'nobody knows when'}, and the index says otherwise`;
  }
  const times = order.map((uid) => atMs.get(uid) ?? -1);
  if (order.length !== atMs.size || times.some((time, at) => time < (times[at - 1] ?? 0)))
    yield 'the list of jobs by their end is not in order';
}
