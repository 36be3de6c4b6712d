import type { Placement } from '#vocabulary/job.ts';
import type { MeshRecord } from '#vocabulary/meshRecord.ts';
import type { JobView } from '../state/view.ts';
import type { Turn } from '../turn.ts';
import { chooseCoordinator } from './coordinator.ts';

/** The next attempt of a waiting job begins there, with a rendezvous of its own, from the newest complete checkpoint. */
export function emitPlaced(
  turn: Turn,
  job: JobView,
  { placement, model, mesh }: { readonly placement: Placement; readonly model: string | null; readonly mesh?: MeshRecord },
): void {
  const attempt = (job.attempts.at(-1)?.number ?? 0) + 1;
  const coordinator = chooseCoordinator(turn.state, turn.context.policy.coordinatorPorts, { uid: job.uid, attempt, placement });
  const resume = job.checkpoint === null ? null : { step: job.checkpoint.step, path: job.checkpoint.path };
  turn.emit({
    kind: 'AttemptPlaced',
    uid: job.uid,
    attempt,
    placement,
    model,
    coordinator,
    resume,
    ...(mesh === undefined ? {} : { mesh }),
  });
}
