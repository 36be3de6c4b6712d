import { epoch, revision } from '#vocabulary/ids.ts';
import { noStartErrors } from '../learn/startErrors.ts';
import { noAmounts, noTotals } from '../ledger/amounts.ts';
import { noPopularShapes } from '../schedule/popularShapes.ts';
import { ChangeList } from './changeList.ts';
import type { AwaitsSave, ClusterLedger, State } from './state.ts';

/** Gangs touch thousands of nodes at once; beyond this many changes a reader looks at all nodes. */
export const changedNodesMax = 16_384;
/** One apply may bring ten thousand jobs; beyond this many changes a reader looks at all that wait. */
export const changedWaitingMax = 16_384;

const awaitsNobody: AwaitsSave = { dueAtMs: () => null };

/** Before the first event. */
export function emptyState(): State {
  return {
    revision: revision(0),
    epoch: epoch(0),
    clusterId: '',
    atMs: 0,
    queues: new Map(),
    reservations: new Map(),
    nodes: new Map(),
    jobs: new Map(),
    tokens: new Map(),
    jobsByName: new Map(),
    pending: [],
    moving: new Set(),
    crossing: new Set(),
    spares: new Set(),
    sparing: new Set(),
    usage: new Map(),
    past: new Map(),
    ports: new Map(),
    awaited: new Map(),
    arrays: new Map(),
    displaceable: new Map(),
    resizable: new Set(),
    endings: { atMs: new Map(), order: [] },
    recent: [],
    ledger: noClusterLedger(),
    scheduleDirty: true,
    wakeAtMs: null,
    movesFromMs: 0,
    defragDueMs: null,
    popular: noPopularShapes(),
    runTimes: new Map(),
    startErrors: noStartErrors(),
    awaitsSave: awaitsNobody,
    saved: new Set(),
    topologyAt: revision(0),
    changedNodes: new ChangeList(changedNodesMax),
    changedWaiting: new ChangeList(changedWaitingMax),
  };
}

function noClusterLedger(): ClusterLedger {
  return {
    amounts: noAmounts(),
    capacity: 0n,
    spare: 0n,
    totals: noTotals(),
    nowMs: 0,
    settledAtMs: 0,
    capacityMilli: 0,
    freeMilli: { reserved: 0, unhealthy: 0, cordoned: 0, idle: 0 },
  };
}
