import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { compileManifest } from '#codec/manifest.ts';
import { parseManifests } from '#codec/manifestYaml.ts';
import { ResourceSchema } from '#gen/shoal/v1/control_pb.js';
import { at, jobWith } from '../testing/objects.ts';
import { formatObjects } from './canonical.ts';

test('what is printed, status and all, is a manifest again', async () => {
  const job = create(
    ResourceSchema,
    jobWith('llama', {
      phase: 'Running',
      attempts: [{ number: 1, startedAt: at('11:00:00'), stopReasons: ['NodeFailure'], placement: [{ worker: 0, node: 'a', gpus: [0] }] }],
      ledger: { productive: 12n },
      progress: { step: 3n, loss: 0.5 },
    }),
  );
  for (const format of ['yaml', 'json'] as const) {
    const parsed = parseManifests(await formatObjects([job], format, true), 'printed');
    expect(parsed.ok && parsed.documents.map(({ json }) => compileManifest(json))).toMatchObject([{ ok: true, kind: 'TrainingJob' }]);
  }
});
