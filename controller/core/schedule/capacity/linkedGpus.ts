export interface LinkedGpu {
  readonly index: number;
  /** null: none. */
  readonly nvlinkDomain: number | null;
}

/** Indices of GPUs by NVLink domain, in order of both; those without a domain stand together, first. */
export type GpuGroups = readonly (readonly number[])[];

/** The groups of each node, made when first asked for. Machines are mostly alike, so neighbours share what is the same. */
export class LinkedGpus {
  readonly #ofNode: (GpuGroups | null)[];
  #last: { readonly gpus: readonly LinkedGpu[]; readonly groups: GpuGroups } = { gpus: [], groups: [] };

  constructor(nodes: number) {
    this.#ofNode = Array.from({ length: nodes }, () => null);
  }

  /** `gpus`: of the node, the same until `forget`. */
  of(node: number, gpus: readonly LinkedGpu[]): GpuGroups {
    const known = this.#ofNode[node] ?? null;
    if (known !== null) return known;
    if (!isAlike(gpus, this.#last.gpus)) this.#last = { gpus, groups: groupByLink(gpus) };
    this.#ofNode[node] = this.#last.groups;
    return this.#last.groups;
  }

  forget(node: number): void {
    this.#ofNode[node] = null;
  }
}

function isAlike(some: readonly LinkedGpu[], others: readonly LinkedGpu[]): boolean {
  return (
    some.length === others.length &&
    some.every(({ index, nvlinkDomain }, at) => index === others[at]?.index && nvlinkDomain === others[at].nvlinkDomain)
  );
}

function groupByLink(gpus: readonly LinkedGpu[]): GpuGroups {
  const groups = Map.groupBy(gpus, ({ nvlinkDomain }) => nvlinkDomain ?? -1);
  return [...groups]
    .sort(([left], [right]) => left - right)
    .map(([, group]) => group.map(({ index }) => index).sort((one, other) => one - other));
}
