import type { ApplyResult } from '#gen/shoal/v1/control_pb.js';
import { compileTarget, type TargetOptions } from '../../config/target.ts';
import { exitCodes } from '../../exitCodes.ts';
import { compileChoice, isSet, textsFlag, type Flags } from '../../flags.ts';
import type { Io } from '../../io.ts';
import { singularOf } from '../../kinds.ts';
import { inBatches } from '../../manifests/batches.ts';
import { loadManifests } from '../../manifests/load.ts';
import type { Manifest } from '../../manifests/manifest.ts';
import { planText } from '../../print/planText.ts';
import { printRefusal } from '../../print/refusal.ts';
import { withServer, type Server } from '../../server/connection.ts';

export interface ApplyOptions {
  readonly target: TargetOptions;
  readonly files: readonly string[];
  readonly recursive: boolean;
  readonly dryRun: boolean;
  readonly nameOnly: boolean;
}

export function compileApply(flags: Flags): ApplyOptions {
  return {
    target: compileTarget(flags),
    files: textsFlag(flags, 'filename'),
    recursive: isSet(flags, 'recursive'),
    dryRun: compileChoice(flags, 'dryRun', ['none', 'server']) === 'server',
    nameOnly: compileChoice(flags, 'output', ['name']) === 'name',
  };
}

/** Each document stands for itself: a refused one does not stop the others. */
export async function runApply(options: ApplyOptions, io: Io, signal: AbortSignal): Promise<number> {
  const { manifests, problems } = await loadManifests(options, io);
  for (const problem of problems) io.stderr.write(`Error: ${problem}\n`);
  let exitCode: number = problems.length > 0 ? exitCodes.error : exitCodes.ok;
  if (manifests.length === 0) {
    if (problems.length === 0) io.stderr.write('No documents found\n');
    return problems.length === 0 ? exitCodes.error : exitCode;
  }
  return withServer(
    options.target,
    io,
    async (server) => {
      for (const batch of inBatches(manifests)) {
        const code = options.dryRun ? await planBatch(server, batch, options, io) : await applyBatch(server, batch, options, io);
        if (exitCode === exitCodes.ok || exitCode === exitCodes.cannotPlace) exitCode = code === exitCodes.ok ? exitCode : code;
      }
      return exitCode;
    },
    signal,
  );
}

async function applyBatch({ client, unary }: Server, batch: readonly Manifest[], options: ApplyOptions, io: Io): Promise<number> {
  const { results } = await client.apply({ documents: batch.map(({ json }) => ({ json })) }, unary());
  let exitCode: number = exitCodes.ok;
  for (const [at, manifest] of batch.entries()) {
    const code = printResult({ result: results[at], manifest, suffix: '' }, options, io);
    if (code !== exitCodes.ok) exitCode = code;
    await io.stdout.drained();
  }
  return exitCode;
}

async function planBatch({ client, unary }: Server, batch: readonly Manifest[], options: ApplyOptions, io: Io): Promise<number> {
  const { results } = await client.plan({ documents: batch.map(({ json }) => ({ json })) }, unary());
  let exitCode: number = exitCodes.ok;
  for (const [at, manifest] of batch.entries()) {
    const plan = results[at];
    const code = printResult({ result: plan?.apply, manifest, suffix: ' (server dry run)' }, options, io);
    const waits = plan !== undefined && code === exitCodes.ok && plan.waitReason !== '';
    if (plan !== undefined && code === exitCodes.ok && !options.nameOnly) io.stdout.write(planText(plan));
    if (code !== exitCodes.ok) exitCode = code;
    else if (waits && exitCode === exitCodes.ok) exitCode = exitCodes.cannotPlace;
  }
  return exitCode;
}

interface Printed {
  readonly result: ApplyResult | undefined;
  readonly manifest: Manifest;
  readonly suffix: string;
}

function printResult({ result, manifest, suffix }: Printed, options: ApplyOptions, io: Io): number {
  if (result === undefined) {
    io.stderr.write(`Error: ${manifest.where('')}: the server gave no answer for this document\n`);
    return exitCodes.error;
  }
  for (const warning of result.warnings) io.stderr.write(`Warning: ${warning}\n`);
  if (result.outcome === 'refused') return printRefusal(result, manifest, io);
  const name = `${singularOf(result.object?.kind ?? manifest.kind)}/${result.object?.name ?? manifest.name}`;
  io.stdout.write(options.nameOnly ? `${name}\n` : `${name} ${result.outcome}${suffix}\n`);
  return exitCodes.ok;
}
