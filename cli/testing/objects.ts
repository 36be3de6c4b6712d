/** Objects that several tests need; each test says only what it is about. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { ResourceSchema } from '#gen/shoal/v1/control_pb.js';
import type { NodeStatusSchema } from '#gen/shoal/v1/node_pb.js';
import type { TrainingJobSpec, TrainingJobStatusSchema } from '#gen/shoal/v1/training_job_pb.js';

type ResourceInit = MessageInitShape<typeof ResourceSchema>;

/** Time of day on 2026-11-23, the day at whose noon the tests' clock stands. */
export const at = (time: string): ReturnType<typeof timestampFromDate> => timestampFromDate(new Date(`2026-11-23T${time}Z`));

export function jobWith(
  name: string,
  status: MessageInitShape<typeof TrainingJobStatusSchema>,
  spec: Pick<Partial<TrainingJobSpec>, 'workers' | 'mesh'> & { readonly elastic?: { minWorkers: number; maxWorkers: number } } = {},
): ResourceInit {
  return {
    object: {
      case: 'trainingJob',
      value: {
        apiVersion: 'shoal.dev/v1',
        kind: 'TrainingJob',
        metadata: { name, uid: `uid-${name}`, labels: { project: 'assistant' }, creationTimestamp: at('11:00:00') },
        spec: {
          queue: 'research',
          workers: 4,
          gpusPerWorker: 1,
          mesh: { tensor: 2, data: 2 },
          checkpoint: { directory: './checkpoints', keep: 3 },
          restarts: { max: 3, within: '1h' },
          template: { command: ['python', 'train.py', '--name', 'a b'] },
          ...spec,
        },
        status,
      },
    },
  };
}

export function nodeWith(name: string, status: MessageInitShape<typeof NodeStatusSchema>): ResourceInit {
  return {
    object: {
      case: 'node',
      value: { apiVersion: 'shoal.dev/v1', kind: 'Node', metadata: { name, creationTimestamp: at('10:00:00') }, status },
    },
  };
}
