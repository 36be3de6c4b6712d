import { desiredFor } from '#core/desired.ts';
import { step } from '#core/step.ts';

/** What decides. Tests put something broken in its place, to see that it is found. */
export interface Core {
  readonly step: typeof step;
  readonly desiredFor: typeof desiredFor;
}

export const realCore: Core = { step, desiredFor };
