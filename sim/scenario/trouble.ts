/**
 * What goes wrong between controller and agents, and what people want, beyond what the entries of a timeline can say. It
 * stands in the annotations of a scenario, so the format itself stays what it is (decision 0022).
 */
import type { JobName, NodeName, UserName } from '#vocabulary/ids.ts';

/** All times are milliseconds from the start of the scenario. */
export interface Trouble {
  /** Reports and assignments take up to so long, those of one session in their order. 0: they are there at once. */
  readonly lateMs: number;
  /** 0..1: of the reports, those that come a second time, whatever came between. */
  readonly doubled: number;
  readonly controllerRestarts: readonly ControllerRestart[];
  readonly agentRestarts: readonly { readonly atMs: number; readonly node: NodeName }[];
  readonly orders: readonly Order[];
}

/** The controller is killed, and comes back with what is durable. */
export interface ControllerRestart {
  readonly atMs: number;
  readonly forMs: number;
  /** It dies after its next commit, before anybody is told of it; else at once. */
  readonly afterCommit: boolean;
  /** It comes back from a snapshot; else from the whole log. */
  readonly fromSnapshot: boolean;
}

export interface Order {
  readonly atMs: number;
  readonly user: UserName;
  readonly verb: 'hold' | 'release' | 'next' | 'delete-now';
  readonly job: JobName;
}

export const orderVerbs = ['hold', 'release', 'next', 'delete-now'] as const satisfies readonly Order['verb'][];

/** Annotations of a Scenario. */
export const troubleAnnotation = 'sim.shoal.dev/trouble';
export const watchAnnotation = 'sim.shoal.dev/watch';
