/** Plays the fleet through the simulator and measures as it goes. */
import { readLedger, readTotals } from '#core/ledger/readLedger.ts';
import type { Amounts } from '#core/ledger/amounts.ts';
import type { StateView } from '#core/state/view.ts';
import type { StopReason } from '#vocabulary/job.ts';
import { playScenario } from '#sim/world/playScenario.ts';
import { AllocationMeter } from './allocationMeter.ts';
import { fleetModel, fleetScenario } from './fleetScenario.ts';
import type { FleetSize } from './fleetTrace.ts';
import { readFleetTrace } from './fleetTrace.ts';
import { IdleProbe, type IdleSum } from './idleProbe.ts';
import { WaitMeter, type Waits } from './waitMeter.ts';

export interface FleetRun {
  readonly jobs: number;
  readonly units: number;
  readonly failures: number;
  readonly allocation: ReturnType<AllocationMeter['read']>;
  readonly waits: Waits;
  readonly idle: IdleSum;
  /** How many attempts ended so. */
  readonly ends: ReadonlyMap<StopReason, number>;
  readonly finished: { readonly succeeded: number; readonly failed: number };
  /** Milli-GPU-milliseconds. */
  readonly ledger: { readonly capacity: bigint; readonly amounts: Amounts; readonly byQueue: ReadonlyMap<string, Amounts> };
  readonly passes: number;
  readonly passMs: readonly number[];
}

export interface FleetOptions {
  /** Settings of the controller that differ from its defaults. */
  readonly policy?: Readonly<Record<string, unknown>>;
  /** Told at the end of each day of the cluster's time. */
  readonly onDay?: (day: number, state: StateView) => void;
}

const dayMs = 86_400_000;

/** Throws BrokenPromise when the core breaks one. */
export async function playFleet(size: FleetSize, { policy = {}, onDay = () => undefined }: FleetOptions = {}): Promise<FleetRun> {
  const trace = await readFleetTrace(size);
  const [allocation, waits, idle] = [new AllocationMeter(), new WaitMeter(fleetModel), new IdleProbe()];
  const ends = new Map<StopReason, number>();
  const finished = { succeeded: 0, failed: 0 };
  let days = 0;
  const { world, endedAtMs } = playScenario(fleetScenario(trace, size, policy), (recorder) => {
    recorder.onEvent = (event) => {
      if (event.kind !== 'AttemptEnded') return;
      const [reason] = event.reasons;
      if (reason !== undefined) ends.set(reason, (ends.get(reason) ?? 0) + 1);
      if (event.next.kind === 'finished') finished[event.next.outcome === 'Succeeded' ? 'succeeded' : 'failed'] += 1;
    };
    recorder.onStep = (state, result, nowMs) => {
      allocation.onStep(state, result, nowMs);
      waits.onStep(state, result, nowMs);
      idle.onStep(state, result, nowMs);
      for (; nowMs >= (days + 1) * dayMs; days += 1) onDay(days + 1, state);
    };
  });
  return {
    jobs: trace.jobs.length,
    units: trace.units.length,
    failures: trace.failures.length,
    allocation: allocation.read(endedAtMs),
    waits: waits.read(world.view, endedAtMs),
    idle: idle.sum,
    ends,
    finished,
    ledger: { ...readLedger(world.view, endedAtMs), byQueue: readTotals(world.view, 'queue', endedAtMs) },
    passes: world.recorder.decisions,
    passMs: world.recorder.decisionMs,
  };
}
