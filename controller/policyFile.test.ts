import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ConfigError } from './config.ts';
import { defaultPolicy } from './limits.ts';
import { readPolicyFile } from './policyFile.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shoal-policy-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(text: string): ReturnType<typeof readPolicyFile> {
  const path = join(folder, 'policy.yaml');
  await writeFile(path, text);
  return readPolicyFile(path, ['rack', 'node']);
}

test('what the file names is changed, the rest is the default', async () => {
  const policy = await read('targetAfterMs: 30m\nreservationsPerQueue: 4\ncoordinatorPorts: {first: 30000}\n');
  expect(policy).toEqual({
    ...defaultPolicy,
    levels: ['rack', 'node'],
    targetAfterMs: 1_800_000,
    reservationsPerQueue: 4,
    coordinatorPorts: { first: 30_000, count: defaultPolicy.coordinatorPorts.count },
  });
});

test('bandwidths go by the levels of the cluster', async () => {
  const { bandwidths } = await read('bandwidths: {nvlink: 160, rail: 50, rack: 12.5, cluster: 3}\n');
  expect(bandwidths).toEqual({ nvlink: 160, rail: 50, rack: 12.5, cluster: 3 });
});

test.each([
  ['bandwidths: {rack: 0}', /policy\.yaml:1:14: bandwidths\.rack: 0 is not allowed; allowed: a number above 0/],
  ['bandwidths: {rack: 50G}', /bandwidths\.rack: "50G" is not allowed; allowed: a number above 0/],
  ['bandwidths: {blok: 50}', /bandwidths\.blok: field "blok" is not known.*nvlink, rail, rack, node, cluster/],
  ['bandwidths: 50', /bandwidths: 50 is/],
  ['crossZoneJobsMax: -1', /crossZoneJobsMax: -1 is not allowed/],
  ['targetAfterMs: soon', /policy\.yaml:1:1: targetAfterMs: "soon" is not allowed; allowed: a number from 0, or a duration/],
  ['targetsMax: 1\ntargetAfter: 1h', /policy\.yaml:2:1: targetAfter: .*did you mean "?targetAfterMs/],
  ['levels: [rack]', /policy\.yaml:1:1: levels: is given by --levels/],
  ['targetsMax: -1', /targetsMax: -1 is not allowed/],
  ['a: [', /policy\.yaml:\d+:\d+/],
  ['targetsMax: 1\n---\ntargetsMax: 2', /policy\.yaml:\d+: a second document/],
  ['spares: {level: node}', /policy\.yaml:1:10: spares\.level: "node" is not allowed; allowed: "" \(no pools\), rack/],
  [
    'spares:\n  level: rack\n  emptyChance: 1',
    /policy\.yaml:3:3: spares\.emptyChance: 1 is not allowed; allowed: more than 0, less than 1/,
  ],
  ['spares: {segmentNodes: 0}', /spares\.segmentNodes: 0 is not allowed; allowed: a whole number from 1/],
  ['spares: {nodes: 1.5}', /spares\.nodes: 1\.5 is not allowed/],
  ['', /policy\.yaml/],
])('%j is refused with its place', async (text, message) => {
  const refusal = read(text);
  await expect(refusal).rejects.toThrow(ConfigError);
  await expect(refusal).rejects.toThrow(message);
});

test('a file that cannot be read is named', async () => {
  await expect(readPolicyFile(join(folder, 'none.yaml'), ['node'])).rejects.toThrow(/--policy: cannot read .*none\.yaml: ENOENT/);
});
