import { toJson } from '@bufbuild/protobuf';
import type { PlanResponse, PlanResult } from '#gen/shoal/v1/control_pb.js';
import { ForecastResponseSchema, PlanResponseSchema } from '#gen/shoal/v1/control_pb.js';
import { CliError } from '../../cliError.ts';
import { compileTarget, type TargetOptions } from '../../config/target.ts';
import { exitCodes } from '../../exitCodes.ts';
import { compileChoice, isSet, textFlag, textsFlag, type Flags } from '../../flags.ts';
import type { Io } from '../../io.ts';
import { singularOf } from '../../kinds.ts';
import { loadManifests } from '../../manifests/load.ts';
import type { Manifest } from '../../manifests/manifest.ts';
import { formatValue } from '../../print/canonical.ts';
import { timetable } from '../../print/outlookText.ts';
import { estimateText, planText } from '../../print/planText.ts';
import { printRefusal } from '../../print/refusal.ts';
import { withServer } from '../../server/connection.ts';

export interface PlanOptions {
  readonly target: TargetOptions;
  /** Manifests, or the timetable of a queue. */
  readonly about:
    | { readonly kind: 'files'; readonly files: readonly string[]; readonly recursive: boolean }
    | { readonly kind: 'queue'; readonly queue: string };
  readonly output: 'json' | 'yaml' | null;
}

export function compilePlan(flags: Flags): PlanOptions {
  const files = textsFlag(flags, 'filename');
  const queue = textFlag(flags, 'queue');
  if ((files.length === 0) === (queue === null)) throw new CliError(exitCodes.usage, 'error: one of -f and --queue is wanted');
  return {
    target: compileTarget(flags),
    about: queue === null ? { kind: 'files', files, recursive: isSet(flags, 'recursive') } : { kind: 'queue', queue },
    output: compileChoice(flags, 'output', ['json', 'yaml']),
  };
}

export async function runPlan({ target, about, output }: PlanOptions, io: Io, signal: AbortSignal): Promise<number> {
  if (about.kind === 'files') return planFiles({ target, about, output }, io, signal);
  return withServer(
    target,
    io,
    async ({ client, unary }) => {
      const forecast = await client.forecast({ queue: about.queue }, unary());
      if (output !== null) io.stdout.write(await formatValue(toJson(ForecastResponseSchema, forecast), output));
      else io.stdout.write(timetable(forecast));
      return exitCodes.ok;
    },
    signal,
  );
}

async function planFiles(
  { target, about, output }: PlanOptions & { readonly about: Extract<PlanOptions['about'], { kind: 'files' }> },
  io: Io,
  signal: AbortSignal,
): Promise<number> {
  const { manifests, problems } = await loadManifests(about, io);
  for (const problem of problems) io.stderr.write(`Error: ${problem}\n`);
  if (problems.length > 0) return exitCodes.error;
  if (manifests.length === 0) {
    io.stderr.write('No documents found\n');
    return exitCodes.error;
  }
  return withServer(
    target,
    io,
    async ({ client, unary }) => {
      // In one call: each sees those before it.
      const plan = await client.plan({ documents: manifests.map(({ json }) => ({ json })), when: true }, unary());
      if (output === null) return printPlan(plan, manifests, io);
      io.stdout.write(await formatValue(toJson(PlanResponseSchema, plan), output));
      return codeOf(plan.results);
    },
    signal,
  );
}

function printPlan(plan: PlanResponse, manifests: readonly Manifest[], io: Io): number {
  for (const [at, manifest] of manifests.entries()) {
    const result = plan.results[at];
    if (result?.apply === undefined) io.stderr.write(`Error: ${manifest.where('')}: the server gave no answer for this document\n`);
    else if (result.apply.outcome === 'refused') printRefusal(result.apply, manifest, io);
    else {
      for (const warning of result.apply.warnings) io.stderr.write(`Warning: ${warning}\n`);
      const name = `${singularOf(result.apply.object?.kind ?? manifest.kind)}/${result.apply.object?.name ?? manifest.name}`;
      io.stdout.write(`${name} ${verbs[result.apply.outcome] ?? result.apply.outcome}\n${planText(result)}${whenText(result)}`);
    }
  }
  io.stdout.write(`As of revision ${plan.revision}; nothing was changed.\n`);
  return codeOf(plan.results);
}

const verbs: Readonly<Record<string, string>> = {
  created: 'would be created',
  configured: 'would be changed',
  unchanged: 'is there already',
};

function whenText({ waitReason, start }: PlanResult): string {
  if (waitReason === '') return '';
  return start === undefined ? '  would start: nobody knows when\n' : `  would start: ${estimateText(start)}\n`;
}

function codeOf(results: readonly PlanResult[]): number {
  if (results.some(({ apply }) => apply === undefined || apply.outcome === 'refused')) return exitCodes.error;
  return results.some(({ waitReason }) => waitReason !== '') ? exitCodes.cannotPlace : exitCodes.ok;
}
