/** `shoal sim replay`: reads a trace and a cluster, plays the trace, prints what came of it. */
import { parseArgs } from 'node:util';
import { InputError } from '../inputError.ts';
import { readInput } from '../readInput.ts';
import { parseCluster } from './input/parseCluster.ts';
import { parseFailures } from './input/parseFailures.ts';
import { estimateSources, parseJobs, type EstimateSource } from './input/parseJobs.ts';
import { isPolicyName, policies, type PolicyName } from './policies/policies.ts';
import type { FailurePlan } from './nodeFailures.ts';
import { printTable } from './printTable.ts';
import { replay } from './replay.ts';
import { replayReport, type ReplayReport } from './replayReport.ts';

interface ReplayOptions {
  readonly jobsFile: string;
  readonly clusterFile: string;
  readonly policy: PolicyName;
  readonly estimates: EstimateSource;
  readonly overheadFactor: number;
  /** Absent: nothing fails. */
  readonly failuresFile: string | undefined;
  readonly checkpointEveryS: number;
}

/** Where text goes: tests give their own. */
interface Output {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

const processOutput: Output = {
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
};
const outputs = ['text', 'json'] as const;
const overheadFactorMax = 1_000;
const policyNames = Object.keys(policies).join(', ');

export const replayUsage = `Usage: shoal sim replay --jobs <file> --cluster <file> [flags]

Plays a trace of jobs against one policy in virtual time and prints waiting times, use and cost.

  --jobs <file>           the trace as CSV, also packed with gzip: submit_s, duration_s, gpus, and est_s for --estimates csv
  --cluster <file>        the cluster: a Scenario or its cluster part; nodes of one size
  --policy <name>         ${policyNames} (default shoal)
  --estimates <source>    the run times that the scheduler is told: exact, or csv for the column est_s (default exact)
  --overhead-factor <n>   multiplies what a preemption costs, 0 to ${overheadFactorMax} (default 1)
  --failures <file>       nodes that fail, as CSV: t_s, node (from 0) and repair_s; none without it
  --checkpoint-every <s>  with --failures: jobs lose what they did since the last multiple of this (default 1800)
  -o, --output <format>   text or json (default text)
  -h, --help              show this
`;

/** Resolves with the exit code: 0 played, 2 something that was given is wrong. */
export async function runReplay(args: readonly string[], { stdout, stderr }: Output = processOutput): Promise<number> {
  try {
    const flags = readFlags(args);
    if (flags.help === true) {
      stdout(replayUsage);
      return 0;
    }
    const output = oneOf(flags.output ?? 'text', outputs, '--output');
    const report = await playFiles(compileReplay(flags));
    stdout(output === 'json' ? `${JSON.stringify(report, null, 2)}\n` : printTable([{ name: report.policy.name, table: report.table }]));
    return 0;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    stderr(`error: ${error.message}\nSee: shoal sim replay --help\n`);
    return 2;
  }
}

async function playFiles({ jobsFile, clusterFile, policy, estimates, overheadFactor, ...rest }: ReplayOptions): Promise<ReplayReport> {
  const shape = parseCluster(await readInput(clusterFile), clusterFile);
  const totalGpus = shape.nodes * shape.nodeGpus;
  const trace = parseJobs(await readInput(jobsFile), { file: jobsFile, estimates, totalGpus });
  const failurePlan = await readFailurePlan(rest, shape.nodes);
  const result = replay({ trace, shape, policy: policies[policy], overheadFactor, ...(failurePlan === undefined ? {} : { failurePlan }) });
  const failing = failurePlan === undefined ? {} : { failures: failurePlan.failures.length, checkpointEveryS: rest.checkpointEveryS };
  const settings = { placement: 'best fit', ...policies[policy].settings, estimates, overheadFactor, ...failing };
  return replayReport(result, { name: policy, settings });
}

async function readFailurePlan(
  { failuresFile, checkpointEveryS }: Pick<ReplayOptions, 'failuresFile' | 'checkpointEveryS'>,
  nodes: number,
): Promise<FailurePlan | undefined> {
  if (failuresFile === undefined) return undefined;
  return { failures: parseFailures(await readInput(failuresFile), { file: failuresFile, nodes }), checkpointEveryS };
}

type Flags = ReturnType<typeof readFlags>;

export function readFlags(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const options = {
    jobs: text,
    cluster: text,
    policy: text,
    estimates: text,
    'overhead-factor': text,
    failures: text,
    'checkpoint-every': text,
    output: { type: 'string', short: 'o' },
    help: { type: 'boolean', short: 'h' },
  } as const;
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new InputError(error instanceof Error ? error.message : String(error));
  }
}

/** Throws InputError. */
export function compileReplay(flags: Flags): ReplayOptions {
  if (flags.jobs === undefined) throw new InputError('--jobs is missing: the trace to play');
  if (flags.cluster === undefined) throw new InputError('--cluster is missing: the file with the cluster to play it on');
  const policy = flags.policy ?? 'shoal';
  if (!isPolicyName(policy)) throw new InputError(`--policy "${policy}" is not known; known are ${policyNames}`);
  return {
    jobsFile: flags.jobs,
    clusterFile: flags.cluster,
    policy,
    estimates: oneOf(flags.estimates ?? 'exact', estimateSources, '--estimates'),
    overheadFactor: wholeFlag('--overhead-factor', flags['overhead-factor'] ?? '1', { min: 0, max: overheadFactorMax }),
    failuresFile: flags.failures,
    checkpointEveryS: wholeFlag('--checkpoint-every', flags['checkpoint-every'] ?? '1800', { min: 1, max: 31_536_000 }),
  };
}

function wholeFlag(flag: string, text: string, { min, max }: { readonly min: number; readonly max: number }): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new InputError(`${flag} "${text}" must be a whole number from ${min} to ${max}`);
}

function oneOf<T extends string>(text: string, allowed: readonly T[], flag: string): T {
  const found = allowed.find((each) => each === text);
  if (found !== undefined) return found;
  throw new InputError(`${flag} "${text}" must be one of ${allowed.join(', ')}`);
}
