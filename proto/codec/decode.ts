/**
 * A manifest as the user wrote it → the message of its kind, or every problem with it. Nothing is guessed and nothing
 * is dropped: an unknown field is a problem, since a misspelled limit would otherwise be no limit.
 *
 * The rules of each field stand beside it in the .proto (`FieldRules`); rules across fields are in `trainingJob.ts`,
 * `queue.ts` and `reservation.ts`. Taken as not given: `status`, what the controller alone writes in `metadata`, and an empty (null) field.
 */
import { create, type Message, type MessageShape } from '@bufbuild/protobuf';
import { InferenceServiceSchema } from '#gen/shoal/v1/inference_service_pb.js';
import { PriceBookSchema } from '#gen/shoal/v1/price_book_pb.js';
import { QueueSchema } from '#gen/shoal/v1/queue_pb.js';
import { ReservationSchema } from '#gen/shoal/v1/reservation_pb.js';
import { TrainingJobSchema } from '#gen/shoal/v1/training_job_pb.js';
import { assertNever } from '#vocabulary/assert.ts';
import { didYouMean } from '#vocabulary/didYouMean.ts';
import { itemPath, memberPath } from './fieldPath.ts';
import { excerpt, kindOfValue, pathDeeperThan, Problems, type FieldProblem } from './fieldProblem.ts';
import { describeShape, messagePlan, type MessagePlan, type Shape, type SingleShape } from './messagePlan.ts';

const apiVersion = 'shoal.dev/v1';
/** Deepest nesting of lists and mappings. */
export const manifestDepthMax = 32;

const schemas = {
  TrainingJob: TrainingJobSchema,
  Queue: QueueSchema,
  Reservation: ReservationSchema,
  InferenceService: InferenceServiceSchema,
  PriceBook: PriceBookSchema,
} as const;
type Schemas = typeof schemas;
export type ManifestKind = keyof Schemas;
const manifestKinds = Object.keys(schemas) as readonly ManifestKind[];

export type ManifestResource = {
  readonly [K in ManifestKind]: { readonly kind: K; readonly message: MessageShape<Schemas[K]> };
}[ManifestKind];

export type DecodeResult =
  | { readonly ok: true; readonly resource: ManifestResource }
  | { readonly ok: false; readonly problems: readonly FieldProblem[] };

export function decodeManifest(json: unknown): DecodeResult {
  const problems = new Problems();
  const kind = decodeKind(json, problems);
  if (kind === undefined || !isMapping(json)) return { ok: false, problems: problems.found };
  const deep = pathDeeperThan(json, manifestDepthMax);
  if (deep !== null) return { ok: false, problems: [{ field: deep, message: `nested deeper than ${manifestDepthMax} levels` }] };
  const message = decodeMessage(json, messagePlan(schemas[kind]), '', problems);
  if (problems.found.length > 0) return { ok: false, problems: problems.found };
  return { ok: true, resource: { kind, message } as ManifestResource };
}

function isManifestKind(kind: string): kind is ManifestKind {
  return Object.hasOwn(schemas, kind);
}

/** The two fields that say how the rest is to be read; undefined, and told why, when they do not. */
function decodeKind(json: unknown, problems: Problems): ManifestKind | undefined {
  if (!isMapping(json)) {
    problems.add('', `${excerpt(json)} is ${kindOfValue(json)}; a manifest is a mapping with apiVersion, kind, metadata and spec`);
    return undefined;
  }
  const { apiVersion: version, kind } = json;
  if (version === undefined || version === null) problems.add('apiVersion', `required, but not given; allowed: ${apiVersion}`);
  else if (version !== apiVersion) problems.add('apiVersion', `${excerpt(version)} is not served; allowed: ${apiVersion}`);
  if (kind === undefined || kind === null) problems.add('kind', `required, but not given; allowed: ${manifestKinds.join(', ')}`);
  else if (typeof kind !== 'string') problems.add('kind', `${excerpt(kind)} is ${kindOfValue(kind)}; allowed: ${manifestKinds.join(', ')}`);
  else if (!isManifestKind(kind))
    problems.add('kind', `unknown kind ${excerpt(kind)}; known kinds: ${manifestKinds.join(', ')}${suggestion(kind, manifestKinds)}`);
  else if (problems.found.length === 0) return kind;
  return undefined;
}

function decodeMessage(json: Mapping, plan: MessagePlan, path: string, problems: Problems): Message {
  const message = create(plan.desc);
  const target = message as unknown as Record<string, unknown>;
  for (const key in json) {
    if (problems.full) break;
    const field = plan.fields.get(key);
    const value = json[key];
    if (field === undefined) problems.add(memberPath(path, key), describeUnknown('field', key, plan.names));
    else if (!field.ignored && value !== null && value !== undefined && !(value === '' && field.required)) {
      const decoded = decodeShape(value, field.shape, memberPath(path, key), problems);
      if (decoded !== undefined) target[field.localName] = decoded;
    }
  }
  for (const { jsonName, shape } of plan.required) {
    const given = Object.hasOwn(json, jsonName) ? json[jsonName] : undefined;
    if (given !== undefined && given !== null && given !== '') continue;
    problems.add(memberPath(path, jsonName), `required, but ${given === '' ? 'empty' : 'not given'}; allowed: ${describeShape(shape)}`);
  }
  return message;
}

/** undefined: there is a problem, and it is told. */
function decodeShape(value: unknown, shape: Shape, path: string, problems: Problems): unknown {
  switch (shape.kind) {
    case 'list':
      return decodeList(value, shape, path, problems);
    case 'map':
      return decodeMap(value, shape, path, problems);
    default:
      return decodeSingle(value, shape, path, problems);
  }
}

function decodeList(value: unknown, shape: Extract<Shape, { kind: 'list' }>, path: string, problems: Problems): unknown {
  if (!Array.isArray(value)) return refuseKind(value, shape, path, problems);
  if (!isCountAllowed(value.length, shape, path, problems)) return undefined;
  return value.map((item, index) => decodeSingle(item, shape.item, itemPath(path, index), problems));
}

function decodeMap(value: unknown, shape: Extract<Shape, { kind: 'map' }>, path: string, problems: Problems): unknown {
  if (!isMapping(value)) return refuseKind(value, shape, path, problems);
  const keys = Object.keys(value);
  if (!isCountAllowed(keys.length, shape, path, problems)) return undefined;
  const entries: Record<string, unknown> = {};
  for (const key of keys) {
    const inner = memberPath(path, key);
    if (isKeyAllowed(key, shape, inner, problems)) entries[key] = decodeSingle(value[key], shape.value, inner, problems);
  }
  return entries;
}

function isKeyAllowed(key: string, { keys, keyFormat }: Extract<Shape, { kind: 'map' }>, path: string, problems: Problems): boolean {
  if (keys.length > 0 && !keys.includes(key)) problems.add(path, describeUnknown('key', key, keys));
  else if (keyFormat !== null && !keyFormat.matches(key))
    problems.add(path, `key ${excerpt(key)} is not allowed; allowed: ${keyFormat.allowed}`);
  // `__proto__` as a key of a plain object would be no entry but the object's prototype.
  else if (key === '' || key === '__proto__' || key.length > 253)
    problems.add(path, `key ${excerpt(key)} is not allowed; allowed: 1 to 253 characters`);
  else return true;
  return false;
}

function isCountAllowed(count: number, shape: Extract<Shape, { kind: 'list' | 'map' }>, path: string, problems: Problems): boolean {
  if (count >= shape.itemsMin && count <= shape.itemsMax) return true;
  problems.add(path, `${count} entries; allowed: ${shape.itemsMin} to ${shape.itemsMax}`);
  return false;
}

function decodeSingle(value: unknown, shape: SingleShape, path: string, problems: Problems): unknown {
  switch (shape.kind) {
    case 'text':
      return decodeText(value, shape, path, problems);
    case 'integer':
      if (typeof value !== 'number') return refuseKind(value, shape, path, problems);
      if (!Number.isInteger(value)) return refuse(`${excerpt(value)} is not an integer`, shape, path, problems);
      if (value < shape.min || value > shape.max) return refuse(`${excerpt(value)} is out of range`, shape, path, problems);
      return shape.wide ? BigInt(value) : value;
    case 'number':
      if (typeof value !== 'number') return refuseKind(value, shape, path, problems);
      return value >= shape.min && value <= shape.max ? value : refuse(`${excerpt(value)} is out of range`, shape, path, problems);
    case 'boolean':
      return typeof value === 'boolean' ? value : refuseKind(value, shape, path, problems);
    case 'message':
      return isMapping(value) ? decodeMessage(value, shape.plan, path, problems) : refuseKind(value, shape, path, problems);
    default:
      return assertNever(shape);
  }
}

function decodeText(given: unknown, shape: Extract<SingleShape, { kind: 'text' }>, path: string, problems: Problems): string | undefined {
  const value = typeof given === 'number' && shape.format?.takesNumbers === true ? String(given) : given;
  if (typeof value !== 'string') {
    if (typeof value !== 'number' && typeof value !== 'boolean') return refuseKind(value, shape, path, problems);
    return refuse(`${excerpt(value)} is ${kindOfValue(value)}, put it in quotes to make it text`, shape, path, problems);
  }
  if (shape.allowedValues.length > 0) {
    if (shape.allowedValues.includes(value)) return value;
    problems.add(path, `${excerpt(value)} is not allowed; allowed: ${describeShape(shape)}${suggestion(value, shape.allowedValues)}`);
    return undefined;
  }
  if (shape.format !== null && !shape.format.matches(value)) return refuse(`${excerpt(value)} is not allowed`, shape, path, problems);
  if (value.length > shape.charsMax) return refuse(`${excerpt(value)} has ${value.length} characters`, shape, path, problems);
  if (value.includes('\0')) return refuse(`${excerpt(value)} holds a NUL character`, shape, path, problems);
  return value;
}

function refuseKind(value: unknown, shape: Shape, path: string, problems: Problems): undefined {
  return refuse(`${excerpt(value)} is ${kindOfValue(value)}`, shape, path, problems);
}

function refuse(why: string, shape: Shape, path: string, problems: Problems): undefined {
  problems.add(path, `${why}; allowed: ${describeShape(shape)}`);
  return undefined;
}

function describeUnknown(what: 'field' | 'key', name: string, known: readonly string[]): string {
  const meant = didYouMean(name, known);
  const shown = name.length <= 60 ? name : `${name.slice(0, 59)}…`;
  return `unknown ${what} \`${shown}\`; ${meant === undefined ? `known here: ${known.join(', ')}` : `did you mean \`${meant}\`?`}`;
}

function suggestion(word: string, known: readonly string[]): string {
  const meant = didYouMean(word, known);
  return meant === undefined ? '' : `; did you mean ${meant}?`;
}

type Mapping = Readonly<Record<string, unknown>>;

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
