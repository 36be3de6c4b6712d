import type { Revision } from '#vocabulary/ids.ts';

/** Something told to people. */
export interface RecentEvent {
  readonly revision: Revision;
  readonly atMs: number;
  readonly objectKind: 'TrainingJob' | 'Node' | 'Queue' | 'Reservation' | 'Cluster';
  readonly objectName: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}
