import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { parseJobs } from './input/parseJobs.ts';
import { isPolicyName, policies, type PolicyName } from './policies/policies.ts';
import { replay, type ReplayResult } from './replay.ts';
import { replayTable } from './replayTable.ts';
import type { TraceJob } from './replayJob.ts';

/** [mean JCT, mean queue, p99 queue, preemptions, makespan] in seconds, of an independent simulator on the same files. */
type Want = readonly [number, number, number, number, number];

const helios: Readonly<Partial<Record<PolicyName, Want>>> = {
  fifo: [15_398, 3_129, 48_514, 0, 1_941_949],
  'fifo-skip': [12_926, 657, 19_231, 0, 1_932_097],
  easy: [13_068, 799, 19_030, 0, 1_932_097],
  sjf: [12_546, 277, 3_826, 0, 1_935_958],
  'sjf-skip': [12_565, 295, 6_940, 0, 1_932_097],
  'ssf-skip': [12_556, 287, 5_632, 0, 1_932_097],
  srtf: [12_363, 94, 588, 417, 1_939_204],
  srsf: [12_326, 57, 298, 304, 1_932_097],
  las: [12_505, 236, 7_622, 965, 1_932_097],
  las5: [12_364, 95, 583, 322, 1_932_097],
  shoal: [12_338, 69, 60, 362, 1_932_127],
};

const muri: typeof helios = {
  fifo: [11_001_202, 10_750_751, 14_706_705, 0, 24_616_618],
  'fifo-skip': [5_548_761, 5_298_310, 14_249_957, 0, 23_140_166],
  easy: [6_851_755, 6_601_304, 13_163_026, 0, 23_118_272],
  sjf: [1_623_609, 1_373_157, 18_088_823, 0, 27_403_478],
  'sjf-skip': [1_917_148, 1_666_697, 14_468_581, 0, 24_956_594],
  'ssf-skip': [1_957_308, 1_706_856, 14_452_811, 0, 25_199_753],
  srtf: [1_137_467, 887_015, 13_104_098, 2_122, 25_830_408],
  srsf: [981_413, 730_961, 13_368_554, 1_457, 25_798_167],
  las: [5_160_761, 4_910_309, 13_151_200, 4_074, 23_114_726],
  las5: [1_988_090, 1_737_638, 13_997_229, 3_768, 23_606_458],
  shoal: [1_901_600, 1_651_149, 14_361_759, 10_913, 24_452_073],
};

function readTrace(name: string, estimates: 'exact' | 'csv', nodes: number): readonly TraceJob[] {
  const packed = readFileSync(new URL(`../../bench/data/traces/${name}.csv.gz`, import.meta.url));
  return parseJobs(gunzipSync(packed).toString('utf8'), { file: name, estimates, totalGpus: nodes * 8 });
}

function play(trace: readonly TraceJob[], nodes: number, policy: PolicyName, overheadFactor = 1): ReplayResult {
  return replay({ trace, shape: { nodes, nodeGpus: 8 }, policy: policies[policy], overheadFactor });
}

function figures(result: ReplayResult): Want {
  const { avgJctS, avgQueueS, p99QueueS, preemptions, makespanS } = replayTable(result);
  return [avgJctS, avgQueueS, p99QueueS, preemptions, makespanS];
}

describe.each([
  ['helios-a', 92, helios],
  ['muri-trace1', 8, muri],
])('on %s', (name, nodes, wanted) => {
  const trace = readTrace(name, 'exact', nodes);
  for (const [policy, want] of Object.entries(wanted))
    test(`${policy} gives the figures of the reference simulator to the second`, () => {
      expect(figures(play(trace, nodes, isKnown(policy), 1))).toEqual(want);
    });
});

test('every column of the table is that of the reference simulator', () => {
  const trace = readTrace('helios-a', 'exact', 92);
  expect(replayTable(play(trace, 92, 'easy'))).toEqual({
    jobs: 5_888,
    avgJctS: 13_068,
    p50JctS: 413,
    p99JctS: 274_993,
    avgQueueS: 799,
    p50QueueS: 0,
    p99QueueS: 19_030,
    utilPct: 81.08,
    idleWhileQueuedPct: 3.69,
    fragBlockedTimePct: 66.43,
    preemptions: 0,
    avgBsld: 12.81,
    makespanS: 1_932_097,
    avgQueueSmallS: 21,
    avgQueueNodeS: 1_488,
    avgQueueMultiS: 2_901,
  });
});

test('with wrong estimates backfilling gives what the reference simulator gives', () => {
  expect(figures(play(readTrace('helios-a', 'csv', 92), 92, 'easy'))).toEqual([13_327, 1_058, 19_401, 0, 1_932_097]);
});

test('preemptions that cost ten times as much lengthen the queue as in the reference simulator', () => {
  const trace = readTrace('helios-a', 'exact', 92);
  expect(figures(play(trace, 92, 'srsf', 10))[1]).toBe(83);
  expect(figures(play(trace, 92, 'las5', 10))[1]).toBe(138);
});

function isKnown(name: string): PolicyName {
  if (isPolicyName(name)) return name;
  throw new Error(`no policy ${name}`);
}
