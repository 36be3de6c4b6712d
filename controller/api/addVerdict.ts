import { create } from '@bufbuild/protobuf';
import type { MessageShape } from '@bufbuild/protobuf';
import type { Policy } from '#core/context.ts';
import { explainWait } from '#core/schedule/explain/explainWait.ts';
import type { ResourceSchema } from '#gen/shoal/v1/control_pb.js';
import { VerdictSchema } from '#gen/shoal/v1/verdict_pb.js';
import { jobUid } from '#vocabulary/ids.ts';
import type { Sight } from './objects.ts';
import { verdictToWire } from './verdictToWire.ts';

/** Puts into a job's status why it waits; nothing into one that does not. */
export function addVerdict(
  { state, lastPass, nowMs }: Pick<Sight, 'state' | 'lastPass' | 'nowMs'>,
  { object }: MessageShape<typeof ResourceSchema>,
  policy: Policy,
): void {
  if (object.case !== 'trainingJob' || object.value.status === undefined) return;
  const job = state.jobs.get(jobUid(object.value.metadata?.uid ?? ''));
  const verdict = job === undefined ? null : explainWait(state, lastPass, job, { nowMs, policy });
  if (job !== undefined && verdict !== null) object.value.status.verdict = create(VerdictSchema, verdictToWire(verdict, job.name));
}
