/**
 * Makes a case that breaks a promise small: parts are left out, in large pieces first, and what still breaks the same
 * promise is kept (delta debugging; Zeller and Hildebrandt, 2002). The same case always shrinks to the same one.
 */
import type { FuzzCase, Mapping, Value } from './fuzzCase.ts';
import { leaveOut } from './leaveOut.ts';
import { simplify } from './simplify.ts';
import { withoutDangling } from './withoutDangling.ts';

export interface Shrunk {
  readonly smallest: FuzzCase;
  /** Cases that were played for it. */
  readonly plays: number;
}

/** `breaks`: whether the case breaks the promise in question. null: it is no scenario, and cost nothing. */
export function shrinkCase(broken: FuzzCase, breaks: (smaller: FuzzCase) => boolean | null, playsMax: number): Shrunk {
  let smallest = broken;
  let plays = 0;
  const attempt = (smaller: FuzzCase): boolean => {
    if (plays >= playsMax) return false;
    const candidate = withoutDangling(smaller);
    const judged = breaks(candidate);
    if (judged !== null) plays += 1;
    if (judged === true) smallest = candidate;
    return judged === true;
  };
  for (let size = -1; size !== sizeOf(smallest) && plays < playsMax; ) {
    size = sizeOf(smallest);
    for (const part of parts)
      leaveOut(
        () => part.read(smallest),
        (items) => attempt(part.write(smallest, items)),
      );
    for (const field of fields)
      leaveOut(
        () => Object.entries(field.read(smallest)),
        (items) => attempt(field.write(smallest, Object.fromEntries(items))),
      );
    for (const part of parts)
      simplifyEach(
        () => part.read(smallest),
        (items) => attempt(part.write(smallest, items)),
      );
  }
  return { smallest, plays };
}

interface Part<T> {
  read(of: FuzzCase): T;
  write(of: FuzzCase, value: T): FuzzCase;
}

type Items = readonly Mapping[];

const trouble = (name: 'controllerRestarts' | 'agentRestarts' | 'orders'): Part<Items> => ({
  read: (of) => of.trouble[name],
  write: (of, items) => ({ ...of, trouble: { ...of.trouble, [name]: items } }),
});

const parts: readonly Part<Items>[] = [
  { read: (of) => of.timeline, write: (of, timeline) => ({ ...of, timeline }) },
  trouble('orders'),
  trouble('controllerRestarts'),
  trouble('agentRestarts'),
  { read: (of) => of.nodes, write: (of, nodes) => ({ ...of, nodes }) },
  { read: (of) => of.queues, write: (of, queues) => ({ ...of, queues }) },
];

const fields: readonly Part<Mapping>[] = [
  { read: (of) => of.policy, write: (of, policy) => ({ ...of, policy }) },
  { read: (of) => of.cluster, write: (of, cluster) => ({ ...of, cluster }) },
  { read: (of) => of.trouble.lines, write: (of, lines) => ({ ...of, trouble: { ...of.trouble, lines } }) },
];

function simplifyEach(read: () => Items, offer: (items: Items) => boolean): void {
  for (let at = read().length - 1; at >= 0; at -= 1) {
    const item = read()[at];
    if (item !== undefined) simplify(item, (simpler) => offer(read().with(at, simpler)));
  }
}

/** Characters: whatever is simpler is shorter. */
function sizeOf(of: FuzzCase): number {
  const whole: Value = [
    of.cluster,
    of.policy,
    of.nodes,
    of.queues,
    of.timeline,
    of.trouble.lines,
    of.trouble.controllerRestarts,
    of.trouble.agentRestarts,
    of.trouble.orders,
  ];
  return JSON.stringify(whole).length;
}
