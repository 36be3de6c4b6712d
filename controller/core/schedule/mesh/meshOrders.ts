import type { AxisTraffic } from './traffic.ts';
import { sentBytes } from './traffic.ts';

/** Of gangs up to this size all orders of up to four axes are looked at. */
const smallGangMax = 32;

/**
 * Orders of the axes that are worth a look: the customary one first, then the heaviest axis fastest, and all others for small
 * gangs. Axes of size 1 make no difference and come first.
 */
export function meshOrders(axes: readonly AxisTraffic[], workers: number): readonly (readonly AxisTraffic[])[] {
  const real = axes.filter(({ size }) => size > 1);
  const trivial = axes.filter(({ size }) => size === 1);
  const byWeight = real.toSorted((left, right) => sentBytes(left) - sentBytes(right));
  const orders = [real, byWeight, ...(workers <= smallGangMax && real.length <= 4 ? permutations(real) : [])];
  const seen = new Set<string>();
  const distinct = orders.filter((order) => {
    const key = order.map(({ axis }) => axis).join();
    return !seen.has(key) && seen.add(key);
  });
  return distinct.map((order, at) => (at === 0 ? axes : [...trivial, ...order]));
}

function permutations(axes: readonly AxisTraffic[]): readonly (readonly AxisTraffic[])[] {
  if (axes.length <= 1) return [axes];
  return axes.flatMap((first, at) => permutations(axes.toSpliced(at, 1)).map((rest) => [first, ...rest]));
}
