import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunningApi } from '#controller/testing/runApi.ts';
import { runApi } from '#controller/testing/runApi.ts';
import {
  ApplyRequestSchema,
  GetRequestSchema,
  GetResponseSchema,
  PlanRequestSchema,
  PlanResponseSchema,
} from '#gen/shoal/v1/control_pb.js';
import type { MeshGroup, MeshPlan, TrainingJobStatus } from '#gen/shoal/v1/training_job_pb.js';
import { FakeAgent } from '#test/simulation/fakeAgent.ts';

/** Two zones of one rack with two nodes of two GPUs: n11, n12, n21, n22. */
let api: RunningApi;
beforeEach(async () => {
  api = await runApi();
  for (const [zone, node] of ['11', '12', '21', '22'].map((digits) => digits.split(''))) {
    const shape = { name: `n${zone}${node}`, zone: `z${zone}`, rack: 'r1', gpus: 2 };
    await api.loop.offer({ kind: 'hello', hello: new FakeAgent(shape).hello() });
  }
});
afterEach(() => api.stop());

const documents = (spec: object) => {
  const json = {
    apiVersion: 'shoal.dev/v1',
    kind: 'TrainingJob',
    metadata: { name: 'a' },
    spec: { gpusPerWorker: 2, template: { command: ['true'] }, ...spec },
  };
  return [{ json: JSON.stringify(json) }];
};

async function plan(spec: object) {
  const { results } = create(
    PlanResponseSchema,
    await api.control.plan(create(PlanRequestSchema, { documents: documents(spec) }), api.alice),
  );
  return results[0];
}

async function statusAfterApply(spec: object): Promise<TrainingJobStatus | undefined> {
  await api.control.apply(create(ApplyRequestSchema, { documents: documents(spec) }), api.alice);
  const request = create(GetRequestSchema, { object: { kind: 'TrainingJob', name: 'a' } });
  const { resource } = create(GetResponseSchema, await api.control.get(request, api.alice));
  return resource?.object.case === 'trainingJob' ? resource.object.value.status : undefined;
}

const places = (groups: readonly MeshGroup[] | undefined): readonly string[] =>
  (groups ?? []).map(
    ({ workers, domains }) => `${workers.join()} in ${domains.map(({ name, workers: count }) => `${name} ${count}`).join(', ')}`,
  );

const facts = (mesh: MeshPlan | undefined) => ({ ...mesh, axes: mesh?.axes.map((axis) => ({ ...axis })) });

const moe = { mesh: { pipeline: 2, expert: 4 } };

test('a job says where its stages and expert groups are, and what each axis is predicted to take', async () => {
  const mesh = (await statusAfterApply(moe))?.mesh;
  expect(mesh?.order).toEqual(['pipeline', 'expert']);
  expect(places(mesh?.stages)).toEqual(['0,1 in z1/b1/r1 2', '2,3 in z2/b1/r1 2']);
  expect(places(mesh?.expertGroups)).toEqual(['0,1 in z1/b1/r1 2', '2,3 in z2/b1/r1 2']);
  expect(
    mesh?.axes.map(({ axis, size, collective, bytes, boundBy, outerCrossings }) => [
      axis,
      size,
      collective,
      bytes,
      boundBy,
      outerCrossings,
    ]),
  ).toEqual([
    ['pipeline', 2, 'point-to-point', 2n ** 30n, 'cluster', 1],
    ['expert', 4, 'all-to-all', 2n ** 34n, 'rail', 0],
  ]);
  // 4 GPUs of a zone send 1 GiB each over 50 / 32 GB/s each; and half of 16 GiB goes over a card of 50 GB/s.
  expect(mesh?.axes.map(({ seconds }) => seconds)).toEqual([0.687195, 0.171799]);
  expect(mesh?.seconds).toBeCloseTo(0.858994, 6);
});

test('a plan says the same of a job that is not there yet', async () => {
  const planned = await plan(moe);
  const status = await statusAfterApply(moe);
  expect(planned?.mesh?.axes.length).toBe(2);
  expect(facts(planned?.mesh)).toEqual(facts(status?.mesh));
  expect(planned?.placement).toEqual(status?.attempts[0]?.placement);
});

test('ranks have coordinates in the order that was chosen', async () => {
  const status = await statusAfterApply({ mesh: { data: 4, expert: 2 }, traffic: { data: '1Ti', expert: '1Mi' } });
  expect(status?.attempts[0]?.meshOrder).toEqual(['expert', 'data']);
  expect(status?.ranks.map(({ rank, mesh }) => `${rank} expert=${mesh['expert']} data=${mesh['data']}`)).toEqual([
    '0 expert=0 data=0',
    '1 expert=0 data=2',
    '2 expert=1 data=0',
    '3 expert=1 data=2',
  ]);
  expect(status?.mesh?.axes.find(({ axis }) => axis === 'data')?.bytes).toBe(2n ** 40n);
});

test('expert groups inside one worker are its node, told once; an axis that is not there has no groups', async () => {
  const mesh = (await statusAfterApply({ mesh: { data: 4, expert: 2 } }))?.mesh;
  expect(places(mesh?.expertGroups)).toEqual(['0 in n11 1', '1 in n12 1', '2 in n21 1', '3 in n22 1']);
  expect(mesh?.stages).toEqual([]);
});

test('a job without a mesh has none of it', async () => {
  const status = await statusAfterApply({ workers: 2 });
  expect([status?.mesh, status?.attempts[0]?.meshOrder]).toEqual([undefined, []]);
});
