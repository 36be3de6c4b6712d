import type { Levels } from '#vocabulary/topology.ts';

/**
 * How fast a GPU can send, by what its traffic has to pass. Settings and this table are in GB/s (10^9 bytes) of one GPU in one
 * direction; data sheets mostly add both directions of NVLink.
 */
export interface LinkSpeeds {
  /** Out of a GPU, within its NVLink domain. Bytes a second, as all of these. */
  readonly nvlink: number;
  /** Out of a NVLink domain to the rest of its node. */
  readonly node: number;
  /** The node's level. */
  readonly nodeName: string;
  /** Out of a domain to the rest of the one around it, for each GPU inside; by depth, the first is that of depth 1. */
  readonly out: readonly OutSpeed[];
}

export interface OutSpeed {
  /** The level of the domain around it: its links are what they share. */
  readonly name: string;
  readonly bytes: number;
  /** To the same GPU indices of others, where cards of one index have a switch of their own; null: the index makes no difference. */
  readonly rail: number | null;
}

interface ModelSpeeds {
  readonly nvlink: number;
  /** One network card a GPU. */
  readonly nic: number;
}

/** The first pattern that the model begins with. PCIe 4.0 x16, 32 GB/s, stands for NVLink where there is none. */
const models: readonly (readonly [prefix: string, speeds: ModelSpeeds])[] = [
  // NVLink 5: 1,800 GB/s both ways; ConnectX-8 800G, and ConnectX-7 400G (NVIDIA GB300 and GB200 NVL72 data sheets, 2025).
  ['GB300', { nvlink: 900, nic: 100 }],
  ['B300', { nvlink: 900, nic: 100 }],
  ['GB200', { nvlink: 900, nic: 50 }],
  ['B200', { nvlink: 900, nic: 50 }],
  // NVLink 4 cut to 400 GB/s both ways; 8 x 400G a node (DeepSeek-V3 report, arXiv:2412.19437, and ISCA '25, arXiv:2505.09343; 160 GB/s of 200 were measured).
  ['H800', { nvlink: 200, nic: 50 }],
  // NVLink 4: 900 GB/s both ways; 8 x 400G a node (NVIDIA DGX H100 and H200 data sheets).
  ['H100', { nvlink: 450, nic: 50 }],
  ['H200', { nvlink: 450, nic: 50 }],
  ['GH200', { nvlink: 450, nic: 50 }],
  ['H20', { nvlink: 450, nic: 50 }],
  // NVLink 3 cut to 400 GB/s both ways.
  ['A800', { nvlink: 200, nic: 25 }],
  // NVLink 3: 600 GB/s both ways; 8 x 200G a node (NVIDIA DGX A100 data sheet).
  ['A100', { nvlink: 300, nic: 25 }],
  // NVLink 2: 300 GB/s both ways; 4 x 100G for 8 GPUs (NVIDIA DGX-1 data sheet).
  ['V100', { nvlink: 150, nic: 6.25 }],
];
const otherModel: ModelSpeeds = { nvlink: 32, nic: 12.5 };
/** PCIe 4.0 x16: what is left between NVLink domains of a node. */
const pcie = 32;

/**
 * What a rack, a block, … lets out for each of its GPUs, as a part of the network card's speed. Assumed, and no fabric's data: the scheduler
 * is to stay inside where nothing is known. Fabrics as built: 1:1 within a pod and 1:7 out of it (Llama 3, arXiv:2407.21783), 15:1 at the
 * core (Alibaba HPN, SIGCOMM '24), few links between zones (Fire-Flyer, arXiv:2408.14158).
 */
const taper = { rack: 1 / 4, block: 1 / 8, zone: 1 / 32 } as const;
/** To another GPU index of another node: over the spine, or through a GPU that is on the rail (NCCL's PXN). */
const crossRail = 1 / 2;

/** A level with this name, above the node, is a fabric of NVLink over several nodes, as in NVL72. */
const nvlinkLevel = 'nvlink';
const giga = 1e9;

/** Names under which a cluster may give its speeds. */
export const speedNames = (levels: Levels): readonly string[] => [...new Set(['nvlink', 'rail', ...levels, 'cluster'])];

/** The defaults of the model with what the cluster gives (`Policy.bandwidths`, GB/s). */
export function linkSpeedsOf(levels: Levels, given: Readonly<Record<string, number>>, model: string | null): LinkSpeeds {
  const { nvlink, nic } = models.find(([prefix]) => model?.startsWith(prefix) === true)?.[1] ?? otherModel;
  const speedOf = (name: string, fallback: number): number => (given[name] ?? fallback) * giga;
  const depth = levels.filter((level) => level !== nvlinkLevel).length;
  const out = levels.map((_, at): OutSpeed => {
    const name = levels[at - 1] ?? 'cluster';
    if (name === nvlinkLevel) return { name, bytes: speedOf(name, nvlink), rail: null };
    const inside = levels.slice(at).filter((level) => level !== nvlinkLevel).length;
    return { name, bytes: speedOf(name, nic * taperAt(inside, depth)), rail: inside <= 1 ? speedOf('rail', nic) : null };
  });
  const nodeName = levels.at(-1) ?? 'node';
  return { nvlink: speedOf('nvlink', nvlink), node: speedOf(nodeName, pcie), nodeName, out };
}

/** `inside`: levels from the one that is left down to the node. */
function taperAt(inside: number, depth: number): number {
  if (inside <= 1) return crossRail;
  if (inside === depth && depth > 3) return taper.zone;
  return inside === 2 ? taper.rack : taper.block;
}
