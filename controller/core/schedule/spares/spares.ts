import type { JobUid, NodeName } from '#vocabulary/ids.ts';
import type { Placement } from '#vocabulary/job.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import { deviceModel } from '#vocabulary/gpuProfile.ts';
import type { SpareFor } from '../../events.ts';
import { askToLeave } from '../../jobs/stop.ts';
import { currentAttempt } from '../../state/state.ts';
import type { JobView, NodeView } from '../../state/view.ts';
import type { Turn } from '../../turn.ts';
import { domainsInside } from '../capacity/topology.ts';
import type { ClusterRoom } from '../clusterRoom.ts';
import { takesWork } from '../clusterRoom.ts';
import type { Preemption } from '../preempt.ts';
import { requestWithin } from '../requestOf.ts';
import { placesToKeep } from '../swap.ts';
import { isReady } from './borrow.ts';
import { chooseSpare, domainsToSpare } from './chooseSpare.ts';
import { poolsOf } from './pools.ts';
import type { RecallPlan } from './swapWithSpares.ts';
import { perTopology } from '../../state/perTopology.ts';

/** A node that says so is a spare for everybody. */
const spareLabel = 'shoal.dev/spare';

/**
 * Which nodes are spares, in one pass. A spare is a node that takes no work but replacements for broken workers, and, lent,
 * preemptible work that leaves at once. It is in the log whose spare it is:
 *
 *   label   the node says so itself
 *   pool    of each domain of a level, as many as the policy says or its failure rate asks for
 *   job     `spec.spares` of them beside its workers, as long as the job runs or a fault has just stopped it
 *
 * Before anybody is looked at, what is a spare no more is released, and what is missing is chosen from nodes that lie free or
 * have only such work on them: who waits is behind that. A job that starts gets its own at once. Costs nothing where
 * nobody wants spares.
 */
export class Spares {
  readonly #turn: Turn;
  readonly #cluster: ClusterRoom;
  /** Makes the room show what is promised to nobody. */
  readonly #showFree: () => void;
  /** Spares by whose they are (`keyOf`). */
  readonly #counts = new Map<string, number>();
  #isShort = false;
  #hasChanged = false;

  constructor(turn: Turn, cluster: ClusterRoom, showFree: () => void) {
    this.#turn = turn;
    this.#cluster = cluster;
    this.#showFree = showFree;
  }

  /** Another pass is due: after somebody was looked at, nodes became ordinary ones, or spares, which small work may borrow where it may not use what others count on. */
  get more(): boolean {
    return this.#hasChanged;
  }

  begin(): void {
    this.#refill();
    this.#hasChanged = false;
  }

  #refill(): void {
    const { state } = this.#turn;
    this.#isShort = false;
    this.#counts.clear();
    for (const name of state.spares) {
      const spare = state.nodes.get(name)?.spare ?? null;
      if (spare !== null) this.#count(spare, 1);
    }
    // Mostly none is to be released, and there may be many. Of too many for one, each is judged by those that are left.
    for (const name of [...state.spares].filter((each) => this.#judge(each) !== null).sort()) {
      const message = this.#judge(name);
      if (message !== null) this.#release(name, message);
    }
    this.#fillLabelled();
    this.#fillPools();
    for (const uid of [...state.sparing].sort()) {
      const job = state.jobs.get(uid);
      if (job !== undefined) this.#fillJob(job);
    }
  }

  /** What is missing may be found on nodes that this pass made free. When everything is shown as it is. */
  end(): void {
    if (this.#isShort) this.#refill();
  }

  /** The job was placed: a spare that it took is none any more, and it gets its own. */
  started(job: JobView, placement: Placement, isLent: boolean): void {
    const { state } = this.#turn;
    if (!isLent && state.spares.size > 0) {
      for (const name of new Set(placement.map(({ node }) => node)))
        if (state.spares.has(name)) this.#release(name, `job ${job.name} has a worker there now`);
      this.#isShort = true;
    }
    if (job.spec.spares === 0) return;
    this.#showFree();
    this.#fillJob(job);
  }

  /** Asks those to leave to whom the spares were lent that the gang needs, and keeps its place. */
  recall(job: JobView, plan: RecallPlan, preemption: Preemption): WaitReason {
    const { context, state } = this.#turn;
    this.#turn.emit({ kind: 'JobNominated', uid: job.uid, ...plan });
    for (const uid of plan.victims) {
      const victim = state.jobs.get(uid);
      const why = `its node is a spare, and job ${job.name} needs it for a worker that broke`;
      if (victim !== undefined) askToLeave(this.#turn, victim, 'Preempted', why, context.policy.spares.graceMs);
    }
    return preemption.promise(job, plan);
  }

  /** Why it is a spare no more; null: it is one. */
  #judge(name: NodeName): string | null {
    const node = this.#turn.state.nodes.get(name);
    if (node?.spare === null || node === undefined) return null;
    const isSound = isReady(node) && node.health.every(({ healthy }) => healthy);
    if (!isSound) return 'it takes no work any more';
    return this.#isWanted(node, node.spare) ? null : 'nobody wants it as a spare any more';
  }

  #isWanted(node: NodeView, spare: SpareFor): boolean {
    const { state, context } = this.#turn;
    switch (spare.kind) {
      case 'label':
        return node.labels[spareLabel] === 'true';
      case 'pool':
        return this.#countOf(spare) <= (poolsOf(state, context.policy).get(spare.domain)?.wanted ?? 0);
      case 'job': {
        const job = state.jobs.get(spare.uid);
        return job !== undefined && mayHaveSpares(job) && this.#countOf(spare) <= job.spec.spares;
      }
    }
  }

  #countOf(spare: SpareFor): number {
    return this.#counts.get(keyOf(spare)) ?? 0;
  }

  #count(spare: SpareFor, sign: 1 | -1): void {
    this.#counts.set(keyOf(spare), this.#countOf(spare) + sign);
  }

  #fillLabelled(): void {
    const { state } = this.#turn;
    for (const name of labelledNodes(state)) {
      if (state.spares.has(name)) continue;
      this.#fill({ kind: 'label' }, [this.#numberOf(name)], () => true, 1);
    }
  }

  #fillPools(): void {
    const { state, context } = this.#turn;
    for (const [domain, { nodes, wanted }] of poolsOf(state, context.policy)) {
      const spare: SpareFor = { kind: 'pool', domain };
      const missing = wanted - this.#countOf(spare);
      if (missing <= 0) continue;
      const numbers = nodes.map((name) => this.#numberOf(name));
      this.#fill(spare, numbers, () => true, missing);
    }
  }

  /** Inside the nearest domains where they help. */
  #fillJob(job: JobView): void {
    const attempt = currentAttempt(job);
    const spare: SpareFor = { kind: 'job', uid: job.uid };
    if (attempt === undefined || this.#countOf(spare) >= job.spec.spares) return;
    const { capacity } = this.#cluster.room;
    const request = requestWithin(this.#cluster, { spec: job.spec }, attempt.model, { nowMs: Number.POSITIVE_INFINITY, closed: null });
    const model = attempt.model === null ? null : deviceModel(attempt.model, job.spec.gpuProfile);
    const own = new Set(attempt.placement.map((place) => this.#numberOf(place.node)));
    const fits = (node: number): boolean => {
      if (own.has(node)) return false;
      if (request.allowed !== null && request.allowed.mask[node] !== 1) return false;
      return model === null || capacity.factsOf(node).gpus.filter((gpu) => gpu.model === model).length >= job.spec.gpusPerWorker;
    };
    // Also those that follow from its mesh.
    const segments = request.groups[0]?.segments ?? [];
    const gang = { placement: attempt.placement, requiredDepth: request.requiredDepth, segments };
    while (this.#countOf(spare) < job.spec.spares) {
      const spared = this.#numbersOf(job.uid);
      const isFound = domainsToSpare(capacity.topology, gang, spared).some((domain) => {
        const { depth, levelStart } = capacity.topology;
        const [first, end] = domainsInside(capacity.topology, domain, depth);
        const nodes = Array.from({ length: end - first }, (_, at) => first + at - (levelStart[depth] ?? 0));
        return this.#choose(spare, nodes, fits);
      });
      if (isFound) continue;
      this.#isShort = true;
      return;
    }
  }

  #numbersOf(uid: JobUid): readonly number[] {
    const { state } = this.#turn;
    return [...state.spares].flatMap((name) => {
      const spare = state.nodes.get(name)?.spare;
      return spare?.kind === 'job' && spare.uid === uid ? [this.#numberOf(name)] : [];
    });
  }

  #fill(spare: SpareFor, nodes: readonly number[], fits: (node: number) => boolean, missing: number): void {
    for (let left = missing; left > 0; left -= 1) {
      if (this.#choose(spare, nodes, fits)) continue;
      this.#isShort = true;
      return;
    }
  }

  #choose(spare: SpareFor, nodes: readonly number[], fits: (node: number) => boolean): boolean {
    const { state, context } = this.#turn;
    const { capacity } = this.#cluster.room;
    const node = chooseSpare(state, capacity, { nodes, fits, segmentNodes: context.policy.spares.segmentNodes });
    if (node < 0) return false;
    const name = capacity.nameOf(node);
    this.#turn.emit({ kind: 'NodeSpared', node: name, for: spare });
    this.#hasChanged = true;
    this.#show(name);
    // Of a dry run nothing came about.
    if (!state.spares.has(name)) return false;
    this.#count(spare, 1);
    return true;
  }

  #release(name: NodeName, message: string): void {
    const spare = this.#turn.state.nodes.get(name)?.spare ?? null;
    this.#turn.emit({ kind: 'SpareReleased', node: name, message });
    this.#hasChanged = true;
    if (spare !== null) this.#count(spare, -1);
    this.#show(name);
  }

  /** The room as the state has it. */
  #show(name: NodeName): void {
    const node = this.#turn.state.nodes.get(name);
    if (node !== undefined) this.#cluster.room.capacity.setOpen(this.#numberOf(name), takesWork(node));
  }

  #numberOf(name: NodeName): number {
    return this.#cluster.room.capacity.topology.numberOf.get(name) ?? 0;
  }
}

const labelledNodes = perTopology((state) =>
  [...state.nodes.values()].flatMap(({ name, labels }) => (labels[spareLabel] === 'true' ? [name] : [])).sort(),
);

function keyOf(spare: SpareFor): string {
  switch (spare.kind) {
    case 'job':
      return `job ${spare.uid}`;
    case 'pool':
      return `pool ${spare.domain}`;
    case 'label':
      return 'label';
  }
}

/** While it runs; and after a fault, until its broken workers are replaced. */
const mayHaveSpares = (job: JobView): boolean =>
  job.phase.kind === 'active' || (job.phase.kind === 'pending' && placesToKeep(job).length > 0);
