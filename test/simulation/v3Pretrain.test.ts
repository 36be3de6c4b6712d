import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compileManifest } from '#codec/manifest.ts';
import { parseManifests } from '#codec/manifestYaml.ts';
import { meshToWire } from '#controller/api/meshToWire.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import { job, playText } from '#sim/testing/playText.ts';
import { applyJob, applyQueue, FakeCluster } from './fakeCluster.ts';

/** The spec of test/fixtures/manifests/v3-pretrain.yaml, whose image this version does not serve, and whose memory fake nodes do not have. */
function v3(changes: Partial<JobSpec> = {}): JobSpec {
  const text = readFileSync(new URL('../fixtures/manifests/v3-pretrain.yaml', import.meta.url), 'utf8').replace(/^ *image:.*$/m, '');
  const parsed = parseManifests(text, 'v3-pretrain.yaml');
  const compiled = compileManifest(parsed.ok ? parsed.documents[0]?.json : null);
  if (!compiled.ok || compiled.kind !== 'TrainingJob') throw new Error(JSON.stringify(compiled));
  return { ...compiled.spec, template: { ...compiled.spec.template, memoryBytes: null }, ...changes };
}

/** 256 nodes of 8 GPUs in racks of 16, as many racks in each of the zones. */
function cluster(zones: number): FakeCluster {
  const nodes = Array.from({ length: 256 }, (_, index) => {
    const rack = Math.floor(index / 16);
    const zone = `z${Math.floor((rack * zones) / 16) + 1}`;
    const name = `n${String(index).padStart(3, '0')}`;
    return { name, zone, rack: `r${String(rack).padStart(2, '0')}`, gpus: 8, model: 'H800', nvlink: [0, 0, 0, 0, 0, 0, 0, 0] };
  });
  const made = new FakeCluster(nodes);
  made.step([applyQueue('research')]);
  return made;
}

/** At once: the rack that it prefers for ten minutes could never hold it. */
function start(made: FakeCluster, spec: JobSpec): void {
  made.step([{ ...applyJob('v3'), spec }]);
  expect(made.job('v3').phase.kind).toBe('active');
}

/** Where it stands, as people are told. */
function planOf(made: FakeCluster) {
  const { spec, attempts } = made.job('v3');
  const { mesh = null, placement = [] } = attempts.at(-1) ?? {};
  if (mesh === null) throw new Error('it has no place');
  return meshToWire({ spec, placement, mesh }, made.view.nodes);
}

test('on 256 nodes in racks of 16 each stage has a rack, and each expert group half of it', () => {
  const made = cluster(1);
  start(made, v3());
  const { order, axes = [], stages = [], expertGroups = [], seconds = 0, randomSeconds = 0 } = planOf(made);
  expect(order).toEqual(['pipeline', 'data', 'expert']);
  expect(stages.length).toBe(16);
  for (const { domains = [], workers = [] } of stages) expect([domains.length, workers.length]).toEqual([1, 16]);
  expect(stages[3]?.domains?.[0]).toMatchObject({ name: 'z1/b1/r03', workers: 16 });
  expect(expertGroups.length).toBe(32);
  for (const { domains = [], workers = [] } of expertGroups) expect([domains.length, workers.length]).toEqual([1, 8]);
  expect(axes.map(({ axis, boundBy, outerCrossings }) => `${axis} ${boundBy} ${outerCrossings}`)).toEqual([
    'pipeline block 0',
    'data rail 0',
    'expert rail 0',
  ]);
  // 7/8 of 16 GiB to other nodes at 50 GB/s, the rest inside: DeepSeek's expert parallelism is bound by the cards.
  expect(axes[2]?.seconds).toBeCloseTo((16 * 2 ** 30 * 7) / 8 / 50e9, 3);
  expect(seconds).toBeLessThan(randomSeconds / 3);
});

test('when a node fails one worker moves and 255 keep their node and number', () => {
  const spec = [
    'gpusPerWorker: 8, mesh: {pipeline: 16, expert: 64, data: 2}, template: {command: [x]}',
    'placement: {constraints: [{level: zone, mode: required}], segments: [{level: rack, workers: 8}]}',
  ].join(', ');
  // One node more in its rack, for who is moved.
  const report = playText(`
apiVersion: shoal.dev/v1
kind: Scenario
metadata: {name: v3}
cluster:
  nodes: [{name: spare, path: [z1, b1, r4]}]
  pools: [{name: n, count: 256, gpus: 8, model: H800, shape: {rack: 16}}]
  nvlink: {size: 8}
timeline:
  - ${job('v3', { spec, run: 'work: 60m' })}
  - {at: 10m, fault: {node: n-0055, kind: node-down, for: 30m}}
until: 20m
`);
  const [before = [], after = []] = (report.workloads['job/v3']?.attempts ?? []).map(({ placement }) => placement.map(({ node }) => node));
  const moved = before.flatMap((node, worker) => (node === after[worker] ? [] : [`${node} to ${after[worker]}`]));
  expect([before.length, moved]).toEqual([256, ['n-0055 to spare']]);
});

test('on two zones it crosses them with one pair of neighbouring stages', () => {
  const made = cluster(2);
  start(made, v3({ constraints: [] }));
  const { axes = [] } = planOf(made);
  expect(axes.map(({ axis, outerCrossings }) => `${axis} ${outerCrossings}`)).toEqual(['pipeline 1', 'data 0', 'expert 0']);
});

test('where no zone is large enough, it is refused as it is written: it must be inside one', () => {
  const made = cluster(2);
  expect(made.step([{ ...applyJob('v3'), spec: v3() }])).toEqual([
    {
      kind: 'refused',
      code: 'INVALID_ARGUMENT',
      field: 'spec.placement.constraints[0].level',
      message: '256 workers of 8 GPUs cannot fit one zone: the largest zone has room for 128 as segments and spread divide it',
    },
  ]);
});
