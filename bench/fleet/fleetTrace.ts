/**
 * A week of a 10,000-GPU fleet: batch jobs, how many units each inference service wants by the hour, and nodes that fail.
 * Synthetic; bench/data/traces/README.md says from what. A longer time plays the week again and again: the same arrivals,
 * curve and failures, while what runs long goes on across the seam.
 *
 * A smaller cluster gets its part: of gangs that fill whole nodes all, each with fewer nodes; of jobs of one node or less so
 * many fewer; of failures those of the nodes that there are.
 */
import { fileURLToPath } from 'node:url';
import { assert } from '#vocabulary/assert.ts';
import { createRandom } from '#sim/random.ts';
import { readInput } from '#sim/readInput.ts';
import { readRows } from '#sim/replay/input/csvRows.ts';

/** Nodes of 8 GPUs that the trace is made for. */
const traceNodes = 1_250;
const weekMs = 7 * 86_400_000;

export const batchClasses = ['Flagship', 'Pretrain', 'RL', 'SFT', 'MLLM', 'Debug', 'Other', 'Eval'] as const;
export type BatchClass = (typeof batchClasses)[number];

export interface FleetSize {
  readonly nodes: number;
  readonly days: number;
  /** So many times the trace's work beside services and Flagship; 1: about 90 % of the nodes in the first week. */
  readonly load: number;
  /** Of training that may be stopped, on whole nodes: the part that is elastic, 0 to 1. */
  readonly elastic: number;
}

export interface BatchJob {
  readonly id: string;
  readonly class: BatchClass;
  readonly user: string;
  readonly atMs: number;
  /** On its GPUs, start included; null: longer than the trace. */
  readonly runMs: number | null;
  readonly workers: number;
  readonly gpusPerWorker: number;
  /** What its user thinks that it takes. */
  readonly estimateMs: number;
  /** 0 to 1, the same for each run of the bench. */
  readonly draw: number;
}

/** One gang of an inference service, from when the curve asks for it until it does not. */
export interface ServiceUnit {
  readonly id: string;
  readonly service: string;
  readonly atMs: number;
  /** null: beyond the trace. */
  readonly untilMs: number | null;
  readonly workers: number;
}

export interface NodeFailure {
  readonly atMs: number;
  /** From 0. */
  readonly node: number;
  readonly repairMs: number;
}

export interface FleetTrace {
  readonly jobs: readonly BatchJob[];
  readonly units: readonly ServiceUnit[];
  readonly failures: readonly NodeFailure[];
}

export async function readFleetTrace(size: FleetSize): Promise<FleetTrace> {
  const [jobs, services, failures] = await Promise.all([read('fleet-10k'), read('fleet-10k.services'), read('fleet-10k.failures')]);
  const untilMs = size.days * 86_400_000;
  const weeks = Array.from({ length: Math.ceil(untilMs / weekMs) }, (_, week) => week);
  const isInside = ({ atMs }: { readonly atMs: number }): boolean => atMs < untilMs;
  return {
    jobs: weeks.flatMap((week) => parseJobs(jobs, size, week)).filter(isInside),
    units: unitsOf(weeks.flatMap((week) => parseCurve(services, size, week)).filter(isInside)),
    failures: weeks.flatMap((week) => parseFailures(failures, size, week)).filter(isInside),
  };
}

async function read(name: string): Promise<string> {
  return await readInput(fileURLToPath(new URL(`../data/traces/${name}.csv.gz`, import.meta.url)));
}

function parseJobs(text: string, size: FleetSize, week: number): readonly BatchJob[] {
  const random = createRandom(week + 1);
  const draws = createRandom(1_000 + week);
  return readRows(text, 'fleet-10k.csv', ['id', 'submit_s', 'duration_s', 'nodes', 'gpus_per_node', 'user', 'vc', 'est_s']).flatMap(
    (row) => {
      const [nodes, draw, elasticDraw] = [row.whole('nodes'), random.next(), draws.next()];
      const known = batchClasses.find((name) => name === row.text('vc'));
      // Units of services follow the curve (below); a run that takes the whole week goes on in the next.
      if (known === undefined || (known === 'Flagship' && week > 0)) return [];
      if (nodes === 1 && draw >= partOf(size) * size.load) return [];
      return {
        id: `${known.toLowerCase()}-${week + 1}-${row.text('id')}`,
        class: known,
        user: row.text('user'),
        atMs: week * weekMs + row.whole('submit_s') * 1_000,
        runMs: known === 'Flagship' ? null : row.whole('duration_s') * 1_000,
        workers: nodesOf(nodes * (known === 'Flagship' ? 1 : size.load), size),
        gpusPerWorker: row.whole('gpus_per_node'),
        estimateMs: row.whole('est_s') * 1_000,
        draw: elasticDraw,
      };
    },
  );
}

const partOf = ({ nodes }: FleetSize): number => nodes / traceNodes;

const nodesOf = (nodes: number, size: FleetSize): number => Math.max(1, Math.round(nodes * partOf(size)));

interface Wanted {
  readonly atMs: number;
  readonly service: string;
  readonly units: number;
  readonly workers: number;
}

function parseCurve(text: string, size: FleetSize, week: number): readonly Wanted[] {
  return readRows(text, 'fleet-10k.services.csv', ['t_s', 'service', 'units', 'nodes_per_unit']).map((row) => {
    const [units, nodes] = [row.whole('units'), row.whole('nodes_per_unit')];
    const workers = nodesOf(nodes, size);
    return {
      atMs: week * weekMs + row.whole('t_s') * 1_000,
      service: row.text('service'),
      // Units that cannot get smaller get fewer.
      units: Math.floor((units * nodes * partOf(size)) / workers),
      workers,
    };
  });
}

/** The newest unit goes first. */
function unitsOf(curve: readonly Wanted[]): readonly ServiceUnit[] {
  const units: ServiceUnit[] = [];
  for (const [service, steps] of Map.groupBy(curve, (step) => step.service)) {
    const up: (Omit<ServiceUnit, 'untilMs'> & { readonly number: number })[] = [];
    let count = 0;
    for (const { atMs, units: wanted, workers } of steps) {
      for (; up.length < wanted; count += 1) up.push({ id: `${service}-${count + 1}`, number: count, service, atMs, workers });
      for (const unit of up.splice(wanted).reverse()) units.push({ ...unit, untilMs: atMs });
    }
    units.push(...up.map((unit) => ({ ...unit, untilMs: null })));
  }
  return units.sort((left, right) => left.atMs - right.atMs || (left.id < right.id ? -1 : 1));
}

function parseFailures(text: string, size: FleetSize, week: number): readonly NodeFailure[] {
  const failures = readRows(text, 'fleet-10k.failures.csv', ['t_s', 'node', 'repair_s']).map((row) => ({
    atMs: week * weekMs + row.whole('t_s') * 1_000,
    node: row.whole('node'),
    repairMs: row.whole('repair_s') * 1_000,
  }));
  assert(
    failures.every(({ node }) => node < traceNodes),
    `failures are of ${traceNodes} nodes`,
  );
  return failures.filter(({ node }) => node < size.nodes);
}
