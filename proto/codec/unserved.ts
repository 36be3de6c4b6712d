/**
 * Fields that parse but that this version does not act on (`served` of their rules): kept with a warning where leaving
 * them out changes only how well a job runs, refused where it would change what runs.
 */
import {
  fromJson,
  isFieldSet,
  toJson,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type Message,
  type MessageShape,
} from '@bufbuild/protobuf';
import { Served } from '#gen/shoal/v1/rules_pb.js';
import { itemPath, memberPath, parseFieldPath } from './fieldPath.ts';
import type { FieldProblem } from './fieldProblem.ts';
import { messagePlan, type FieldPlan, type MessagePlan } from './messagePlan.ts';

export interface Unserved {
  readonly warnings: string[];
  readonly problems: FieldProblem[];
  /** JSON by path, of the fields that are kept. */
  readonly kept: Record<string, string>;
}

/** Everything below `message` that is set and not served. Paths start at the message: `spec.template.image`. */
export function judgeUnserved(desc: DescMessage, message: Message): Unserved {
  const unserved: Unserved = { warnings: [], problems: [], kept: {} };
  collect(message, messagePlan(desc), '', unserved);
  return unserved;
}

/** A message from its JSON form with the kept fields put back at their paths, which start with `base`. */
export function withUnserved<M extends DescMessage>(
  desc: M,
  json: JsonObject,
  kept: Readonly<Record<string, string>>,
  base: string,
): MessageShape<M> {
  const root = { [base]: json };
  for (const [path, value] of Object.entries(kept)) setAt(root, parseFieldPath(path) ?? [], JSON.parse(value) as JsonValue);
  return fromJson(desc, json);
}

function collect(message: Message, plan: MessagePlan, path: string, unserved: Unserved): void {
  for (const field of plan.fields.values()) {
    if (field.ignored || !isFieldSet(message, field.desc)) continue;
    const inner = memberPath(path, field.jsonName);
    if (field.served === Served.REFUSE) unserved.problems.push({ field: inner, message: 'not served by this version' });
    else if (field.served === Served.WARN) {
      unserved.warnings.push(`${inner} has no effect in this version`);
      unserved.kept[inner] = JSON.stringify((toJson(plan.desc, message) as JsonObject)[field.jsonName]);
    } else descend(message, field, inner, unserved);
  }
}

function descend(message: Message, { shape, localName }: FieldPlan, path: string, unserved: Unserved): void {
  const value = (message as unknown as Readonly<Record<string, unknown>>)[localName];
  if (shape.kind === 'message') collect(value as Message, shape.plan, path, unserved);
  else if (shape.kind === 'list' && shape.item.kind === 'message') {
    for (const [index, item] of (value as readonly Message[]).entries()) collect(item, shape.item.plan, itemPath(path, index), unserved);
  }
}

function setAt(root: JsonObject, path: readonly (string | number)[], value: JsonValue): void {
  let here = root as Record<string | number, JsonValue>;
  for (const key of path.slice(0, -1)) here = (here[key] ??= {}) as Record<string | number, JsonValue>;
  const last = path.at(-1);
  if (last !== undefined) here[last] = value;
}
