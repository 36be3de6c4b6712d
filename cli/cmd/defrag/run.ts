import type { DefragMove, DefragResponse, Holes } from '#gen/shoal/v1/defrag_pb.js';
import type { WorkerPlacement } from '#gen/shoal/v1/training_job_pb.js';
import { compileTarget, type TargetOptions } from '../../config/target.ts';
import { oneLine } from '../../escapes.ts';
import { exitCodes } from '../../exitCodes.ts';
import { compileChoice, isSet, numberFlag, type Flags } from '../../flags.ts';
import type { Io } from '../../io.ts';
import { formatValue } from '../../print/canonical.ts';
import { formatGpuSeconds, formatIndices } from '../../print/format.ts';
import { formatColumns } from '../../print/table.ts';
import { withServer } from '../../server/connection.ts';

export interface DefragOptions {
  readonly target: TargetOptions;
  readonly dryRun: boolean;
  /** null: as the policy has it. */
  readonly movesMax: number | null;
  readonly output: 'json' | 'yaml' | null;
}

export function compileDefrag(flags: Flags): DefragOptions {
  return {
    target: compileTarget(flags),
    dryRun: isSet(flags, 'dryRun'),
    movesMax: numberFlag(flags, 'moves'),
    output: compileChoice(flags, 'output', ['json', 'yaml']),
  };
}

export async function runDefrag({ target, dryRun, movesMax, output }: DefragOptions, io: Io, signal: AbortSignal): Promise<number> {
  return withServer(
    target,
    io,
    async ({ client, unary }) => {
      const plan = await client.defrag({ dryRun, ...(movesMax === null ? {} : { movesMax }) }, unary());
      if (output !== null) io.stdout.write(await formatValue(valueOf(plan, dryRun), output));
      else io.stdout.write(printPlan(plan, dryRun));
      return exitCodes.ok;
    },
    signal,
  );
}

function printPlan({ moves, before, after }: DefragResponse, dryRun: boolean): string {
  if (moves.length === 0) return `Nothing to move: no node can be emptied at a price that pays.\n${printHoles(before, before)}`;
  const rows = moves.map((move) => [
    oneLine(move.job),
    printPlaces(move.from),
    printPlaces(move.to),
    formatGpuSeconds(BigInt(move.cost || '0')),
  ]);
  const said = `${moves.length} ${moves.length === 1 ? 'job' : 'jobs'} ${dryRun ? 'would be' : moves.length === 1 ? 'is' : 'are'} asked to move.\n`;
  return `${formatColumns([['JOB', 'FROM', 'TO', 'GPU-SECONDS'], ...rows])}\n${said}${printHoles(before, after)}`;
}

/** `node-1[0-3]`. */
function printPlaces(places: readonly WorkerPlacement[]): string {
  const gpus = Map.groupBy(places, ({ node }) => node);
  return [...gpus].map(([node, here]) => `${oneLine(node)}[${formatIndices(here.flatMap((place) => place.gpus))}]`).join(' ');
}

/** A line a level, and one for what lies in pieces: as it is, and as it will be. */
function printHoles(before: Holes | undefined, after: Holes | undefined): string {
  const domainsAfter = new Map((after?.free ?? []).map(({ level, domains }) => [level, domains]));
  const lines = (before?.free ?? []).map(({ level, domains }) => [
    `${oneLine(level)}s that lie free`,
    String(domains),
    String(domainsAfter.get(level) ?? 0),
  ]);
  const scattered = (holes: Holes | undefined): string => String(Number(holes?.scatteredGpuMilli ?? 0n) / 1000);
  return formatColumns([['', 'NOW', 'THEN'], ...lines, ['free GPUs beside jobs', scattered(before), scattered(after)]]);
}

function valueOf({ moves, before, after }: DefragResponse, dryRun: boolean) {
  return { dryRun, moves: moves.map(moveValue), before: holesValue(before), after: holesValue(after) };
}

function moveValue({ job, from, to, cost }: DefragMove) {
  const places = (list: readonly WorkerPlacement[]) => list.map(({ worker, node, gpus }) => ({ worker, node, gpus }));
  return { job, from: places(from), to: places(to), cost };
}

function holesValue(holes: Holes | undefined) {
  const free = (holes?.free ?? []).map(({ level, domains }) => ({ level, domains }));
  return { scatteredGpuMilli: String(holes?.scatteredGpuMilli ?? 0n), free };
}
