/**
 * What breaks, how often, and what a simulated cluster sees of it. Counts: table 5 of "The Llama 3 Herd of Models"
 * (arXiv:2407.21783, CC BY 4.0), 419 unexpected interruptions of 2,048 nodes in 54 days; facts, retold here with our own
 * reading of each component as an effect. That is 3.79 in a thousand node days.
 */
import type { MixRow } from './scenario.ts';

const llama3: readonly MixRow[] = [
  { component: 'Faulty GPU', weight: 148, effect: { kind: 'xid', code: 79 } },
  { component: 'GPU HBM3 memory', weight: 72, effect: { kind: 'xid', code: 94 } },
  { component: 'Software bug', weight: 54, effect: { kind: 'process-exit', code: 1 } },
  { component: 'Network switch/cable', weight: 35, effect: { kind: 'link-flap' } },
  { component: 'Host maintenance', weight: 32, effect: { kind: 'node-down' } },
  { component: 'GPU SRAM memory', weight: 19, effect: { kind: 'xid', code: 95 } },
  { component: 'GPU system processor', weight: 17, effect: { kind: 'xid', code: 119 } },
  { component: 'NIC', weight: 7, effect: { kind: 'link-flap' } },
  // A watchdog ends the process by SIGABRT after its timeout.
  { component: 'NCCL watchdog timeouts', weight: 7, effect: { kind: 'process-exit', code: 134 } },
  { component: 'Silent data corruption', weight: 6, effect: { kind: 'xid', code: 48 } },
  { component: 'GPU thermal interface + sensor', weight: 6, effect: { kind: 'slow', factor: 1.5 } },
  { component: 'SSD', weight: 3, effect: { kind: 'node-down' } },
  { component: 'Power supply', weight: 3, effect: { kind: 'node-down' } },
  { component: 'Server chassis', weight: 2, effect: { kind: 'node-down' } },
  { component: 'IO expansion board', weight: 2, effect: { kind: 'node-down' } },
  { component: 'Dependency', weight: 2, effect: { kind: 'process-exit', code: 1 } },
  { component: 'CPU', weight: 2, effect: { kind: 'node-down' } },
  { component: 'System memory', weight: 2, effect: { kind: 'node-down' } },
];

export const failureMixes: ReadonlyMap<string, readonly MixRow[]> = new Map([['llama3', llama3]]);
