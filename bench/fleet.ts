/**
 * A fleet of 10,000 GPUs for a fortnight, with its services by the hour and its failing nodes, through the real core and the
 * real agents' state machines in virtual time.
 *   node bench/fleet.ts [--nodes 1250] [--days 14] [--load 1] [--elastic 0.3] [--policy '{"placementsPerStepMax": 1000}']
 *
 * Aims: GPUs are held for 99 % of the time in which work waits (bench/fleet/allocationMeter.ts says what counts), services
 * wait 0 s for their GPUs, nobody waits longer than a grace period for what the queue is guaranteed (waitMeter.ts), less
 * than 0.5 % of the work of batch jobs is lost, and the ledger comes out exactly. It prints which are met, and why GPUs
 * were idle meanwhile; the command succeeds either way, as a bench does. What plays is in fleetTrace.ts and fleetScenario.ts.
 */
import { parseArgs } from 'node:util';
import { playFleet } from './fleet/playFleet.ts';
import { printFleet } from './fleet/printFleet.ts';
import { printMachine } from './machine.ts';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '1250' },
    days: { type: 'string', default: '14' },
    load: { type: 'string', default: '1' },
    elastic: { type: 'string', default: '0' },
    policy: { type: 'string', default: '{}' },
  },
});
const size = { nodes: Number(values.nodes), days: Number(values.days), load: Number(values.load), elastic: Number(values.elastic) };
const policy: unknown = JSON.parse(values.policy);
if (!(size.nodes >= 32 && size.nodes <= 1_250 && size.days > 0 && size.load > 0 && size.elastic >= 0 && size.elastic <= 1))
  throw new Error('--nodes 32 to 1250, --days and --load more than 0, --elastic 0 to 1');
if (typeof policy !== 'object' || policy === null || Array.isArray(policy)) throw new Error('--policy: a JSON object of settings');

printMachine();
console.log(
  `fleet     ${size.nodes} nodes of 8 GPUs for ${size.days} days, load ${size.load}, elastic ${size.elastic}, settings that differ: ${values.policy}`,
);
const startedMs = performance.now();
const run = await playFleet(size, {
  policy: { ...policy },
  onDay: (day, state) => {
    const seconds = process.cpuUsage().user / 1e6;
    console.error(`day ${day}: ${state.pending.length} wait, ${state.jobs.size} known, ${seconds.toFixed(0)} s of CPU so far`);
  },
});
const wallS = (performance.now() - startedMs) / 1_000;
const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
console.log(
  `took      ${wallS.toFixed(0)} s, ${((userCPUTime + systemCPUTime) / 1e6).toFixed(0)} s of CPU, peak memory ${(maxRSS / 1_024).toFixed(0)} MiB`,
);
printFleet(run);
