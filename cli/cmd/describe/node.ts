import type { Gpu, Node, NodeInventory } from '#gen/shoal/v1/node_pb.js';
import { defaultLevels } from '#vocabulary/topology.ts';
import { formatBytes, formatQuantity } from '#vocabulary/units.ts';
import { formatIndices, formatMap, formatTime } from '../../print/format.ts';
import type { Section } from '../../print/sections.ts';

type Fact = readonly [name: string, value: string];

export function describeNode({ metadata, status }: Node): readonly Section[] {
  const cordon = status?.cordon;
  const facts: Fact[] = [
    ['Name', metadata?.name ?? ''],
    ['Labels', formatMap(metadata?.labels ?? {})],
    ['Created', formatTime(metadata?.creationTimestamp)],
    ['State', [status?.state ?? '', ...(status?.reason ? [status.reason] : [])].join(': ')],
    ['Connected', `${status?.connected === true ? 'yes' : 'no'}, last seen ${formatTime(status?.lastSeenAt)}`],
    ['Cordoned', cordon === undefined ? 'no' : cordonText(cordon)],
    ['Draining', status?.draining === true ? 'yes' : 'no'],
    ...(status?.spareFor ? [['Spare for', status.spareFor] satisfies Fact] : []),
    ...inventoryFacts(status?.inventory),
    ['GPUs', `${status?.gpusUsed ?? 0} used, ${status?.gpusHealthy ?? 0} healthy, ${status?.inventory?.gpus.length ?? 0} in all`],
    ['Jobs', status?.jobs.join(', ') || '<none>'],
  ];
  return [{ kind: 'facts', facts }, gpusSection(status?.gpus ?? [], status?.inventory)];
}

function cordonText({
  owner,
  reason,
  at,
}: {
  readonly owner: string;
  readonly reason: string;
  readonly at?: Parameters<typeof formatTime>[0];
}): string {
  return `by ${owner || '?'} at ${formatTime(at)}${reason === '' ? '' : `: ${reason}`}`;
}

function inventoryFacts(inventory: NodeInventory | undefined): readonly Fact[] {
  if (inventory === undefined) return [];
  const levels = inventory.path.map((domain, depth) => `${defaultLevels[depth] ?? `level${depth}`}=${domain}`);
  return [
    ['Address', inventory.address],
    ['Topology', levels.join(', ') || '<none>'],
    ['CPU', formatQuantity(inventory.cpuMilli)],
    ['Memory', formatBytes(Number(inventory.memoryBytes))],
    ['System', inventory.os],
    ['Boot ID', inventory.bootId],
    ['Agent', inventory.agentVersion],
  ];
}

/** The inventory is known even while the node is silent and its devices are not listed. */
function gpusSection(gpus: readonly Gpu[], inventory: NodeInventory | undefined): Section {
  const rows =
    gpus.length > 0
      ? gpus.map(gpuRow)
      : (inventory?.gpus ?? []).map((info) => [String(info.index), info.model, info.uuid, '-', '-', '-', '-', '-']);
  return {
    kind: 'table',
    title: 'Devices',
    heads: ['GPU', 'Model', 'UUID', 'NVLink', 'Health', 'Util', 'Job', 'Ranks'],
    rows,
    empty: '<none>',
  };
}

function gpuRow({ info, health, healthMessage, sample, job, ranks }: Gpu): readonly string[] {
  return [
    String(info?.index ?? '?'),
    info?.model ?? '',
    info?.uuid ?? '',
    info?.nvlinkDomain === undefined ? '-' : String(info.nvlinkDomain),
    healthMessage === '' ? health : `${health} (${healthMessage})`,
    sample === undefined ? '-' : `${sample.utilizationPercent}%`,
    job || '-',
    formatIndices(ranks) || '-',
  ];
}
