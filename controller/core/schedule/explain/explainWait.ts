import type { JobUid } from '#vocabulary/ids.ts';
import type { WaitReason } from '#vocabulary/reasons.ts';
import type { ModelRoom, Remedy, Verdict } from '#vocabulary/verdict.ts';
import type { Context } from '../../context.ts';
import { modelsPresent } from '../../jobs/emptyRoom.ts';
import { atLeast } from '../../jobs/size.ts';
import type { JobView, StateView } from '../../state/view.ts';
import { openRoom } from '../clusterRoom.ts';
import { modelsFor } from '../decidePlacement.ts';
import { levelsOf } from '../../queues/attained.ts';
import { requestOf } from '../requestOf.ts';
import { openLines } from '../waiting/waitingLines.ts';
import type { Waits } from '../waiting/waits.ts';
import type { Around, Stand } from './atItsTurn.ts';
import { atItsTurn } from './atItsTurn.ts';
import { classOf } from './classOf.ts';
import { countDisplaceable } from './displacement.ts';
import type { JudgedNode } from './judgeNodes.ts';
import { groupNodes, judgeNodes } from './judgeNodes.ts';
import { countLevelRooms } from './levelRooms.ts';
import { isShortOfRoom, outlookOf } from './outlook.ts';
import { orderOfAll, positionOf } from './position.ts';
import { proposeRemedies } from './proposals.ts';
import { findRemedy, proposeUncordoning, testRemedies } from './remedies.ts';
import { queueStandings, userStanding } from './standings.ts';

/** What the last pass said, and when it was run. */
export interface LastPass {
  readonly waits: Waits;
  readonly atMs: number;
}

/**
 * Why a waiting job waits, worked out when somebody asks: from the state, and from what the last pass said. Nothing of it is decided
 * here; the functions are those of the pass, with what was promised to others out of reach. Pure: nothing changes, and the
 * same state and pass give the same verdict; as time goes on a remedy may cease to be one. Null: the job does not wait, or no
 * pass has looked at it yet.
 *
 * Cost: O(nodes + waiting jobs) for the job, and O(waiting jobs) for each remedy that is tried, of which there are some ten.
 */
export function explainWait(state: StateView, lastPass: LastPass, job: JobView, { nowMs, policy }: Context): Verdict | null {
  const wait = lastPass.waits.get(job.uid);
  if (wait === undefined || job.phase.kind !== 'pending') return null;
  const turn = { state, context: { nowMs: lastPass.atMs, policy }, emit: () => undefined };
  const around: Around = {
    turn,
    cluster: openRoom(state, turn.context),
    lines: openLines(state, levelsOf(policy).inLine),
    waits: lastPass.waits,
  };
  const order = orderOfAll(around, job);
  const models = acceptedModels(around, job);
  const seen = atItsTurn(around, job, (stand) => lookAround(around, stand, { job: atLeast(job), wait, models }));
  const { remedies, ahead, judged, ...facts } = seen;
  const verdictClass = classOf(around, { job, wait, judged });
  // What would be, would be from now on.
  const later = { ...around, turn: { ...turn, context: { nowMs, policy } } };
  const named = models.filter((model) => model !== null);
  const uncordoning = facts.outlook.startsByMs === null && isShortOfRoom(wait) ? proposeUncordoning(judged) : [];
  return {
    class: verdictClass,
    wait,
    sinceMs: job.phase.sinceMs,
    position: positionOf(around, order, job.uid),
    queues: queueStandings(turn, job, order, named),
    user: userStanding(turn, job, named),
    ...facts,
    // Only what could hold it is kept as it empties.
    outlook: verdictClass === 'HonestWait' ? facts.outlook : { ...facts.outlook, targetAtMs: null },
    remedies: [...testRemedies(later, { job, ahead }, remedies), ...findRemedy(later, { job, ahead }, uncordoning)],
  };
}

interface Seen extends Pick<Verdict, 'rooms' | 'displacement' | 'outlook'> {
  /** Not tried yet. */
  readonly remedies: readonly Remedy[];
  readonly ahead: ReadonlySet<JobUid>;
  /** The nodes as each model sees them, one after the other. */
  readonly judged: readonly JudgedNode[];
}

interface Asked {
  readonly job: JobView;
  readonly wait: WaitReason;
  readonly models: readonly (string | null)[];
}

function lookAround(around: Around, stand: Stand, { job, wait, models }: Asked): Seen {
  // Makes the room show what is in its reach.
  stand.backfill.decideAlone(job);
  const views = models.map((model) => ({ model, judged: judgeFor(around, stand, job, model) }));
  const rooms = views.map(({ model, judged }) => roomOf(around, job, model, judged));
  const named = models.filter((model) => model !== null);
  return {
    rooms,
    judged: views.flatMap(({ judged }) => judged),
    ahead: new Set(stand.ahead.map(({ uid }) => uid)),
    displacement: countDisplaceable(around.turn, stand, job, named),
    remedies: proposeRemedies(around, stand, job, wait),
    outlook: outlookOf(around, stand, job, wait),
  };
}

/** Of those that the cluster has; none: all that it has, so that one sees what is there instead. */
function acceptedModels({ turn, cluster }: Around, job: JobView): readonly (string | null)[] {
  const accepted = modelsFor(cluster.room, job, []);
  return accepted.length > 0 ? accepted : modelsPresent(turn.state);
}

function judgeFor({ turn, cluster }: Around, { backfill }: Stand, job: JobView, model: string | null): readonly JudgedNode[] {
  const request = requestOf(cluster, job, model, turn.context.nowMs);
  return judgeNodes({
    state: turn.state,
    capacity: cluster.room.capacity,
    request,
    spec: job.spec,
    promised: backfill.promises.all,
    closed: cluster.closed.closedTo(job, turn.context.nowMs, 'start'),
  });
}

function roomOf({ turn, cluster }: Around, job: JobView, model: string | null, judged: readonly JudgedNode[]): ModelRoom {
  const request = requestOf(cluster, job, model, turn.context.nowMs);
  const takesWork = judged.filter(({ why }) => why !== 'lost' && why !== 'cordoned' && why !== 'spare' && why !== 'reserved');
  return {
    model,
    freeGpus: takesWork.reduce((sum, { freeGpus }) => sum + freeGpus, 0),
    levels: countLevelRooms(cluster, request),
    nodes: groupNodes(judged),
  };
}
