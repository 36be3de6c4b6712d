import type { MessageInitShape } from '@bufbuild/protobuf';
import type { WorkerId as WireWorkerId, WorkerIdSchema } from '#gen/shoal/v1/agent_pb.js';
import { jobUid } from '#vocabulary/ids.ts';
import type { WorkerId } from '#vocabulary/job.ts';
import { refuseField, required } from './wireValue.ts';

export function workerIdFromWire(wire: WireWorkerId | undefined, field: string): WorkerId {
  const { jobUid: uid, attempt, worker } = required(wire, field);
  if (uid === '') refuseField(`${field}.job_uid`, 'required, but empty');
  return { job: jobUid(uid), attempt, worker };
}

export function workerIdToWire({ job, attempt, worker }: WorkerId): MessageInitShape<typeof WorkerIdSchema> {
  return { jobUid: job, attempt, worker };
}
