import { itemPath } from '#codec/fieldPath.ts';
import { excerpt } from '#codec/fieldProblem.ts';
import { findDivisionProblem, isGpuProfile } from '#vocabulary/gpuProfile.ts';
import { nodeName } from '#vocabulary/ids.ts';
import { defaultLevels, type Levels } from '#vocabulary/topology.ts';
import { parseBytes, parseQuantityMilli } from '#vocabulary/units.ts';
import { failureMixes } from './failureMix.ts';
import { describeUnknown, readFields, type Fields } from '#codec/fields.ts';
import type { FailurePlan, NodePlan, Timings } from './scenario.ts';

export interface ClusterPlan {
  readonly levels: Levels;
  readonly nodes: readonly NodePlan[];
  readonly timings: Timings;
  readonly failures: FailurePlan | null;
}

const gpusPerNodeDefault = 8;
const modelDefault = 'H100';
/** A node that names no cpu or memory has more than any job wants: 2^40 thousandths, 2^52 bytes. */
const unboundedMilli = 2 ** 40;
const unboundedBytes = 2 ** 52;
const nodesMax = 100_000;
const dayMs = 86_400_000;

export function parseCluster(cluster: Fields): ClusterPlan {
  const levels = parseLevels(cluster);
  const nvlink = cluster.fields('nvlink', ['size']);
  // One machine is one domain when a whole level is wired by NVLink.
  const nvlinkSize = nvlink?.wholeNumber('size', { min: 1, max: 1024 }) ?? (levels.nvlink ? 1024 : gpusPerNodeDefault);
  const shared = { levels: levels.names, nvlinkSize, model: firstModel(cluster) };
  const nodes = [...parseNodes(cluster, shared), ...parsePools(cluster, shared)];
  const { problems } = cluster;
  const seen = new Set<string>();
  for (const { name } of nodes) {
    if (seen.has(name)) problems.add(cluster.path, `node ${excerpt(name)} is there twice`);
    seen.add(name);
  }
  if (nodes.length === 0) problems.add(cluster.path, 'has no nodes; allowed: at least one of `nodes` or `pools`');
  if (nodes.length > nodesMax) problems.add(cluster.path, `${nodes.length} nodes; allowed: at most ${nodesMax}`);
  return { levels: levels.names, nodes, timings: parseTimings(cluster), failures: parseFailures(cluster) };
}

/** A level is a name, or `{name, nvlink: true}` where its domains are one NVLink fabric. */
function parseLevels(cluster: Fields): { readonly names: Levels; readonly nvlink: boolean } {
  if (!cluster.has('levels')) return { names: defaultLevels, nvlink: false };
  const path = cluster.at('levels');
  let nvlink = false;
  const names = cluster.list('levels').flatMap((value, index) => {
    const level = typeof value === 'string' ? { name: value } : value;
    const fields = readFields(level, itemPath(path, index), ['name', 'nvlink'], cluster.problems);
    if (fields?.require('name') !== true) return [];
    if (fields.flag('nvlink') === true) nvlink = true;
    return fields.name('name') ?? [];
  });
  if (names.length === 0) cluster.problems.add(path, 'is empty; allowed: names of levels, outermost first, the last is the node');
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) cluster.problems.add(path, `level ${excerpt(twice)} is given twice`);
  return { names, nvlink };
}

interface Shared {
  readonly levels: Levels;
  readonly nvlinkSize: number;
  readonly model: string;
}

/** A node without a model has the first one that the file names. */
function firstModel(cluster: Fields): string {
  for (const value of [...cluster.list('nodes'), ...cluster.list('pools')]) {
    const model: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'model') : undefined;
    if (typeof model === 'string') return model;
  }
  return modelDefault;
}

const machineFields = ['gpus', 'model', 'slots', 'cpu', 'memory', 'spare'] as const;

function parseMachine(fields: Fields, shared: Shared): Omit<NodePlan, 'name' | 'path'> {
  return {
    gpus: fields.wholeNumber('gpus', { min: 0, max: 1024 }) ?? gpusPerNodeDefault,
    model: fields.text('model') ?? shared.model,
    slots: parseSlots(fields),
    cpuMilli: parseAmount(fields, 'cpu', parseQuantityMilli, 'a quantity such as 64 or 500m') ?? unboundedMilli,
    memoryBytes: parseAmount(fields, 'memory', parseBytes, 'an amount such as 512Gi') ?? unboundedBytes,
    spare: fields.flag('spare') ?? false,
    nvlinkSize: shared.nvlinkSize,
  };
}

/** `{1g.10gb: 7}`: how many slots of which profile each GPU of the node is divided into. */
function parseSlots(machine: Fields): readonly string[] {
  if (!machine.has('slots')) return [];
  const fields = readFields(machine.raw('slots'), machine.at('slots'), null, machine.problems);
  const slots = fields?.names().flatMap((profile) => {
    if (!isGpuProfile(profile)) fields.refuse(profile, 'keys that are MIG profiles such as 1g.10gb');
    return Array.from({ length: fields.wholeNumber(profile, { min: 1, max: 7 }) ?? 0 }, () => profile);
  });
  const problem = slots?.every(isGpuProfile) === true ? findDivisionProblem(slots) : null;
  if (problem !== null) machine.problems.add(machine.at('slots'), problem);
  return slots ?? [];
}

function parseAmount(fields: Fields, name: string, parse: (text: string) => number | undefined, allowed: string): number | null {
  const text = fields.text(name);
  return text === null ? null : (parse(text) ?? fields.refuse(name, allowed));
}

function parseNodes(cluster: Fields, shared: Shared): readonly NodePlan[] {
  return cluster.list('nodes').flatMap((value, index) => {
    const path = itemPath(cluster.at('nodes'), index);
    const fields = readFields(value, path, ['name', 'path', ...machineFields], cluster.problems);
    if (fields?.require('name') !== true) return [];
    const name = fields.name('name');
    const above = shared.levels.slice(0, -1);
    const domains = fields.has('path') ? fields.texts('path') : above.map((level) => domainName(level, 0));
    if (domains.length !== above.length)
      cluster.problems.add(
        fields.at('path'),
        `${excerpt(domains)} has ${domains.length} domains; allowed: ${above.length}, one for each of ${above.join(', ')}`,
      );
    return name === null ? [] : [{ name: nodeName(name), path: domains, ...parseMachine(fields, shared) }];
  });
}

function parsePools(cluster: Fields, shared: Shared): readonly NodePlan[] {
  return cluster.list('pools').flatMap((value, index) => {
    const path = itemPath(cluster.at('pools'), index);
    const fields = readFields(value, path, ['name', 'count', 'shape', ...machineFields], cluster.problems);
    if (fields?.require('name', 'count') !== true) return [];
    const name = fields.name('name');
    const count = fields.wholeNumber('count', { min: 1, max: nodesMax });
    const machine = parseMachine(fields, shared);
    const leaves = parseShape(fields, shared.levels.slice(0, -1));
    if (name === null || count === null) return [];
    const paths = spread(leaves, count);
    return paths.map((domains, at) => ({ name: nodeName(`${name}-${String(at + 1).padStart(4, '0')}`), path: domains, ...machine }));
  });
}

/** Paths of all innermost domains, in order. A level that is not named has one child a parent. */
function parseShape(pool: Fields, levels: Levels): readonly (readonly string[])[] {
  const shape = pool.fields('shape', levels);
  const children = levels.map((level) => shape?.wholeNumber(level, { min: 1, max: nodesMax }) ?? 1);
  const leaves = children.reduce((product, count) => product * count, 1);
  if (leaves > nodesMax) {
    pool.problems.add(pool.at('shape'), `${leaves} domains of the innermost level; allowed: at most ${nodesMax}`);
    return [levels.map((level) => domainName(level, 0))];
  }
  let paths: (readonly string[])[] = [[]];
  for (const [depth, level] of levels.entries())
    paths = paths.flatMap((path) => Array.from({ length: children[depth] ?? 1 }, (_, at) => [...path, domainName(level, at)]));
  return paths;
}

/** z1, b1, r1: the first letter and the number inside the parent, from 1. */
const domainName = (level: string, at: number): string => `${level.slice(0, 1)}${at + 1}`;

/** Evenly: the first leaves take one more when it does not come out even. */
function spread(leaves: readonly (readonly string[])[], count: number): readonly (readonly string[])[] {
  const each = Math.floor(count / leaves.length);
  const rest = count % leaves.length;
  return leaves.flatMap((path, at) => Array.from({ length: each + (at < rest ? 1 : 0) }, () => path));
}

function parseTimings(cluster: Fields): Timings {
  const names = ['launch', 'stop', 'heartbeat', 'lost', 'reset', 'reboot', 'validate'];
  const timings = cluster.fields('timings', names);
  return {
    launchMs: timings?.durationMs('launch') ?? 5_000,
    stopMs: timings?.durationMs('stop') ?? 2_000,
    heartbeatMs: timings?.durationMs('heartbeat', 1) ?? 5_000,
    lostMs: timings?.durationMs('lost', 1) ?? 10_000,
    resetMs: timings?.durationMs('reset') ?? 60_000,
    rebootMs: timings?.durationMs('reboot') ?? 300_000,
    validateMs: timings?.durationMs('validate') ?? 120_000,
  };
}

function parseFailures(cluster: Fields): FailurePlan | null {
  const failures = cluster.fields('failures', ['perThousandNodeDays', 'mix', 'meanRepair']);
  if (failures?.require('perThousandNodeDays') !== true) return null;
  const repair = failures.fields('meanRepair', ['soft', 'hard', 'hardShare']);
  const mixName = failures.text('mix') ?? 'llama3';
  const mix = failureMixes.get(mixName);
  if (mix === undefined) cluster.problems.add(failures.at('mix'), describeUnknown(mixName, [...failureMixes.keys()]));
  return {
    perThousandNodeDays: failures.number('perThousandNodeDays', { min: 0, max: 1_000_000 }) ?? 0,
    mix: mix ?? [],
    meanSoftRepairMs: repair?.durationMs('soft', 1) ?? 1_800_000,
    meanHardRepairMs: repair?.durationMs('hard', 1) ?? 5 * dayMs,
    hardShare: repair?.number('hardShare', { min: 0, max: 1 }) ?? 0.1,
  };
}
