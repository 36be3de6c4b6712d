/** A scenario in parts, as plain values, so that it can be taken apart; printed, it is a file that `shoal sim run` plays. */
import { stringify } from 'yaml';
import { troubleAnnotation, watchAnnotation } from '../scenario/trouble.ts';

export type Value = string | number | boolean | null | readonly Value[] | Mapping;
export interface Mapping {
  readonly [name: string]: Value;
}

export interface FuzzCase {
  readonly seed: number;
  /** `levels`, `timings`, `failures` …: all but the nodes. */
  readonly cluster: Mapping;
  readonly nodes: readonly Mapping[];
  readonly queues: readonly Mapping[];
  readonly policy: Mapping;
  readonly timeline: readonly Mapping[];
  readonly trouble: TroubleParts;
}

export interface TroubleParts {
  /** `late`, `doubled`. */
  readonly lines: Mapping;
  readonly controllerRestarts: readonly Mapping[];
  readonly agentRestarts: readonly Mapping[];
  readonly orders: readonly Mapping[];
}

/** One line an entry, whatever its length: so it is read, and so it is taken apart by hand. */
export function printCase({ seed, cluster, nodes, queues, policy, timeline, trouble }: FuzzCase): string {
  return [
    'apiVersion: shoal.dev/v1',
    'kind: Scenario',
    'metadata:',
    `  name: fuzz-${seed}`,
    '  annotations:',
    `    ${watchAnnotation}: every`,
    ...printTrouble(trouble),
    `seed: ${seed}`,
    'cluster:',
    ...printFields(cluster, '  '),
    ...printList('nodes', nodes, '  '),
    ...printList('queues', queues, ''),
    ...(Object.keys(policy).length === 0 ? [] : ['policy:', ...printFields(policy, '  ')]),
    ...printList('timeline', timeline, ''),
    '',
  ].join('\n');
}

function printTrouble({ lines, controllerRestarts, agentRestarts, orders }: TroubleParts): readonly string[] {
  const inside = [
    ...printFields(lines, '      '),
    ...printList('controllerRestarts', controllerRestarts, '      '),
    ...printList('agentRestarts', agentRestarts, '      '),
    ...printList('orders', orders, '      '),
  ];
  return inside.length === 0 ? [] : [`    ${troubleAnnotation}: |`, ...inside];
}

const printFields = (fields: Mapping, indent: string): readonly string[] =>
  Object.entries(fields).map(([name, value]) => `${indent}${name}: ${inOneLine(value)}`);

const printList = (name: string, items: readonly Mapping[], indent: string): readonly string[] =>
  items.length === 0 ? [] : [`${indent}${name}:`, ...items.map((item) => `${indent}  - ${inOneLine(item)}`)];

const inOneLine = (value: Value): string =>
  stringify(value, { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: false }).trimEnd();

/** `90s`: a time in a case. */
export const secondsText = (seconds: number): string => `${seconds}s`;
