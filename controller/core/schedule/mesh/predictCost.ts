import type { MeshAxis } from '#vocabulary/job.ts';
import type { Ground, Layer } from './ground.ts';
import type { AxisTraffic } from './traffic.ts';
import { sentBytes } from './traffic.ts';

/**
 * Predicted communication of one step, axis by axis.
 *
 * Each axis divides the GPUs into groups that talk all at once. For every domain of every layer, what its groups send out of it is
 * added up and divided by what the domain's links carry: the speed of one GPU there times the gang's GPUs inside it. The slowest domain
 * is the axis' time, since a step waits for the last of all groups; a GPU's own port is the innermost such bound.
 *
 *   ring of an all-reduce over n GPUs    leaves each domain that it touches once, with 2(n-1)/n of the bytes (NCCL's rings follow the topology)
 *   all-to-all, m of n members inside    m (n-m) / n of the bytes leave
 *   neighbours in a pipeline or a ring   their bytes leave where the two are in different domains, each way
 *
 * Limits: it is a lower bound of the time on the wire. Axes are added, though programs overlap some of it; what other jobs send over the same links,
 * latencies, and trees instead of rings (which send as much) are not in it. It is meant to compare places and orders, with bytes and speeds that fit.
 */
export interface Prediction {
  /** Seconds a step, in the order of the axes. */
  readonly axes: readonly AxisSeconds[];
  readonly seconds: number;
  /** Of placements with the same seconds the one with less has less traffic on slow links in all: it tells a search where to go. */
  readonly pressure: number;
}

export interface AxisSeconds {
  readonly axis: MeshAxis;
  readonly seconds: number;
  readonly bound: string;
}

/** `axes`: slowest first; sizes multiply to the GPUs. `order`: which place has worker n. */
export function predictCost(ground: Ground, axes: readonly AxisTraffic[], order: Int32Array): Prediction {
  const costs: AxisSeconds[] = [];
  let [seconds, pressure] = [0, 0];
  let stride = 1;
  for (let at = axes.length - 1; at >= 0; at -= 1) {
    const axis = axes[at];
    if (axis === undefined) continue;
    if (axis.size > 1) {
      const cost = costOf(ground, axis, stride, order);
      costs.push(cost);
      seconds += cost.seconds;
      pressure += cost.pressure;
    }
    stride *= axis.size;
  }
  return { axes: costs.toReversed(), seconds, pressure };
}

function costOf(ground: Ground, axis: AxisTraffic, stride: number, order: Int32Array): AxisSeconds & { readonly pressure: number } {
  let worst = sentBytes(axis) / ground.portSpeed;
  let bound = 'nvlink';
  let pressure = 0;
  const groups = groupsOf(ground, axis.size, stride);
  for (const layer of ground.layers) {
    if (!layer.isByGpu && groups.size === 1) continue;
    const load = loadOf(ground, layer, { axis, groups: layer.isByGpu ? singleGpus(axis.size, stride) : groups, order });
    for (let domain = 0; domain < layer.gpusIn.length; domain += 1) {
      const seconds = (load.seconds[domain] ?? 0) / (layer.gpusIn[domain] ?? 1);
      pressure += seconds * seconds * (layer.gpusIn[domain] ?? 1);
      if (seconds <= worst) continue;
      worst = seconds;
      bound = layer.rail !== null && load.onRails ? 'rail' : layer.name;
    }
  }
  return { axis: axis.axis, seconds: worst, bound, pressure };
}

/** Groups of an axis in units of workers where all GPUs of a worker do the same, else of GPUs. */
interface Groups {
  readonly isByGpu: boolean;
  /** Units of a group. 1: groups are inside workers. */
  readonly size: number;
  /** From a unit to the next of its group. */
  readonly stride: number;
  /** Members of the group in one unit. */
  readonly members: number;
  /** Groups with the same units. */
  readonly times: number;
}

function groupsOf({ gpus }: Ground, size: number, stride: number): Groups {
  if (stride % gpus === 0) return { isByGpu: false, size, stride: stride / gpus, members: 1, times: gpus };
  if (gpus % (stride * size) === 0) return { isByGpu: false, size: 1, stride: 1, members: size, times: 1 };
  if (gpus % stride === 0 && (stride * size) % gpus === 0)
    return { isByGpu: false, size: (stride * size) / gpus, stride: 1, members: gpus / stride, times: stride };
  return { isByGpu: true, size, stride, members: 1, times: 1 };
}

const singleGpus = (size: number, stride: number): Groups => ({ isByGpu: true, size, stride, members: 1, times: 1 });

interface Asked {
  readonly axis: AxisTraffic;
  readonly groups: Groups;
  readonly order: Int32Array;
}

interface Load {
  /** By domain: as if all that leaves it passed the link of one GPU. */
  readonly seconds: Float64Array;
  /** Nothing went from one rail to another. */
  readonly onRails: boolean;
}

function loadOf(ground: Ground, layer: Layer, { axis, groups, order }: Asked): Load {
  const { places, gpus } = ground;
  const { size, stride, times, members } = groups;
  const { domainOf, rail } = layer;
  const units = groups.isByGpu ? places * gpus : places;
  const seconds = new Float64Array(layer.gpusIn.length);
  const domains = new Int32Array(size);
  const rails = new Int32Array(size);
  let onRails = true;
  const count = new Int32Array(layer.gpusIn.length);
  for (let outer = 0; outer < units; outer += size * stride) {
    for (let base = outer; base < outer + stride; base += 1) {
      let [isInside, isOneRail] = [true, true];
      for (let member = 0; member < size; member += 1) {
        const unit = base + member * stride;
        const worker = groups.isByGpu ? Math.floor(unit / gpus) : unit;
        const place = order[worker] ?? 0;
        domains[member] = domainOf[layer.isByGpu ? place * gpus + (unit % gpus) : place] ?? 0;
        if (domains[member] !== domains[0]) isInside = false;
        if (rail === null) continue;
        rails[member] = rail.of[place] ?? 0;
        if (rails[member] !== rails[0]) isOneRail = false;
      }
      if (isInside) continue;
      if (!isOneRail) onRails = false;
      const speed = rail !== null && isOneRail ? rail.speed : layer.speed;
      addGroup(seconds, { axis, domains, members, count, weight: times / speed });
    }
  }
  return { seconds, onRails };
}

interface GroupLoad {
  readonly axis: AxisTraffic;
  /** Of the units of the group. */
  readonly domains: Int32Array;
  readonly members: number;
  /** Zero everywhere, before and after. */
  readonly count: Int32Array;
  readonly weight: number;
}

function addGroup(seconds: Float64Array, { axis, domains, members, count, weight }: GroupLoad): void {
  const { collective, bytes, size } = axis;
  if (collective === 'point-to-point' || collective === 'ring') {
    const last = collective === 'ring' && size > 2 ? domains.length : domains.length - 1;
    for (let at = 0; at < last; at += 1) {
      const [here, there] = [domains[at] ?? 0, domains[(at + 1) % domains.length] ?? 0];
      if (here === there) continue;
      seconds[here] = (seconds[here] ?? 0) + bytes * weight;
      seconds[there] = (seconds[there] ?? 0) + (collective === 'ring' && size > 2 ? 0 : bytes * weight);
    }
    return;
  }
  for (const domain of domains) count[domain] = (count[domain] ?? 0) + members;
  for (const domain of domains) {
    const inside = count[domain] ?? 0;
    if (inside === 0) continue;
    count[domain] = 0;
    const sent = collective === 'all-to-all' ? (inside * (size - inside) * bytes) / size : (2 * (size - 1) * bytes) / size;
    seconds[domain] = (seconds[domain] ?? 0) + sent * weight;
  }
}
