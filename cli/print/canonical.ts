/**
 * Objects as `-o json|yaml` print them: the canonical JSON of the message inside the envelope, with the keys in the
 * order apiVersion, kind, metadata, spec, status (the order of the field numbers), so that `apply -f` takes them back.
 */
import { toJson, type JsonValue } from '@bufbuild/protobuf';
import type { Resource } from '#gen/shoal/v1/control_pb.js';
import { InferenceServiceSchema } from '#gen/shoal/v1/inference_service_pb.js';
import type { ObjectMeta } from '#gen/shoal/v1/meta_pb.js';
import { EventSchema } from '#gen/shoal/v1/event_pb.js';
import { GpuSchema, NodeSchema } from '#gen/shoal/v1/node_pb.js';
import { PriceBookSchema } from '#gen/shoal/v1/price_book_pb.js';
import { QueueSchema } from '#gen/shoal/v1/queue_pb.js';
import { ReservationSchema } from '#gen/shoal/v1/reservation_pb.js';
import { TrainingJobSchema } from '#gen/shoal/v1/training_job_pb.js';
import { assertNever } from '#vocabulary/assert.ts';
import { singularOf } from '../kinds.ts';

export type ObjectFormat = 'json' | 'yaml' | 'name';

const apiVersion = 'shoal.dev/v1';

/** Text that ends with a line feed. One object named by the user stands alone; all else is a List. */
export async function formatObjects(resources: readonly Resource[], format: ObjectFormat, alone: boolean): Promise<string> {
  if (format === 'name') return resources.map((resource) => `${nameOf(resource)}\n`).join('');
  const items = resources.map(toCanonical);
  const [only] = items;
  const value = alone && only !== undefined && items.length === 1 ? only : { apiVersion, kind: 'List', items };
  return formatValue(value, format);
}

export async function formatValue(value: unknown, format: 'json' | 'yaml'): Promise<string> {
  if (format === 'json') return `${JSON.stringify(value, null, 2)}\n`;
  const { stringify } = await import('yaml');
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** `job/llama`. */
export function nameOf(resource: Resource): string {
  const { object } = resource;
  if (object.case === undefined) return '';
  return `${singularOf(object.value.kind || kindOfCase(object.case))}/${object.value.metadata?.name ?? ''}`;
}

export function metadataOf(resource: Resource): ObjectMeta | undefined {
  return resource.object.case === undefined ? undefined : resource.object.value.metadata;
}

export function toCanonical(resource: Resource): JsonValue {
  const json = innerJson(resource);
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return json;
  const kind = resource.object.case === undefined ? '' : kindOfCase(resource.object.case);
  return { apiVersion, kind, ...json };
}

function innerJson({ object }: Resource): JsonValue {
  switch (object.case) {
    case 'trainingJob':
      return toJson(TrainingJobSchema, object.value);
    case 'queue':
      return toJson(QueueSchema, object.value);
    case 'node':
      return toJson(NodeSchema, object.value);
    case 'gpu':
      return toJson(GpuSchema, object.value);
    case 'event':
      return toJson(EventSchema, object.value);
    case 'inferenceService':
      return toJson(InferenceServiceSchema, object.value);
    case 'reservation':
      return toJson(ReservationSchema, object.value);
    case 'priceBook':
      return toJson(PriceBookSchema, object.value);
    case undefined:
      return {};
    default:
      return assertNever(object);
  }
}

function kindOfCase(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
