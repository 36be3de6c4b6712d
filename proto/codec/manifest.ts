import type { JobName, QueueName, ReservationName } from '#vocabulary/ids.ts';
import type { JobSpec } from '#vocabulary/job.ts';
import type { QueueSpec } from '#vocabulary/queue.ts';
import type { ReservationSpec } from '#vocabulary/reservation.ts';
import { assertNever } from '#vocabulary/assert.ts';
import type { Compiled, CompileResult } from './compiled.ts';
import { decodeManifest, type ManifestKind } from './decode.ts';
import type { FieldProblem } from './fieldProblem.ts';
import { compileQueue } from './queue.ts';
import { compileReservation } from './reservation.ts';
import { compileTrainingJob } from './trainingJob.ts';

export type CompiledManifest =
  | ({ readonly ok: true; readonly kind: 'TrainingJob' } & Compiled<JobName, JobSpec>)
  | ({ readonly ok: true; readonly kind: 'Queue' } & Compiled<QueueName, QueueSpec>)
  | ({ readonly ok: true; readonly kind: 'Reservation' } & Compiled<ReservationName, ReservationSpec>)
  | RefusedManifest;

export interface RefusedManifest {
  readonly ok: false;
  /** As far as they can be read; else empty. */
  readonly kind: string;
  readonly name: string;
  /** UNIMPLEMENTED: right, but of a kind that this version does not serve. */
  readonly code: 'INVALID_ARGUMENT' | 'UNIMPLEMENTED';
  /** At least one. */
  readonly problems: readonly FieldProblem[];
}

/** What manifests may be applied. */
const servedKinds = ['TrainingJob', 'Queue', 'Reservation'] as const satisfies readonly ManifestKind[];

/** A manifest as the user wrote it (parsed JSON) → checked, with its defaults, or refused with every reason. */
export function compileManifest(json: unknown): CompiledManifest {
  const decoded = decodeManifest(json);
  if (!decoded.ok) return { ok: false, ...identify(json), code: 'INVALID_ARGUMENT', problems: decoded.problems };
  const { kind, message } = decoded.resource;
  switch (kind) {
    case 'TrainingJob':
      return orRefused(kind, json, compileTrainingJob(message));
    case 'Queue':
      return orRefused(kind, json, compileQueue(message));
    case 'Reservation':
      return orRefused(kind, json, compileReservation(message));
    case 'InferenceService':
    case 'PriceBook': {
      const problem = { field: 'kind', message: `${kind} is not served yet by this version; served: ${servedKinds.join(', ')}` };
      return { ok: false, ...identify(json), code: 'UNIMPLEMENTED', problems: [problem] };
    }
    default:
      return assertNever(kind);
  }
}

function orRefused<K extends (typeof servedKinds)[number], Name, Spec>(kind: K, json: unknown, result: CompileResult<Name, Spec>) {
  return result.ok ? { kind, ...result } : { ...identify(json), code: 'INVALID_ARGUMENT' as const, ...result };
}

/** Kind and name for the answer, whatever else is wrong. */
function identify(json: unknown): { readonly kind: string; readonly name: string } {
  const kind = member(json, 'kind');
  const name = member(member(json, 'metadata'), 'name');
  return { kind: typeof kind === 'string' ? kind.slice(0, 63) : '', name: typeof name === 'string' ? name.slice(0, 63) : '' };
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
