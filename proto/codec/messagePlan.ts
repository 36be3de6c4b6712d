/**
 * What a manifest's message allows, compiled once from its protobuf descriptor and the `FieldRules` of each field, so
 * that decoding four thousand manifests reads no descriptor.
 */
import { getOption, ScalarType, type DescField, type DescMessage } from '@bufbuild/protobuf';
import { rules as fieldRules, type FieldRules, type Served } from '#gen/shoal/v1/rules_pb.js';
import { assert, assertNever } from '#vocabulary/assert.ts';
import { isTextFormatName, textFormats, type TextFormat, type TextFormatName } from './textFormat.ts';

export interface MessagePlan {
  readonly desc: DescMessage;
  /** By the name that manifests use. */
  readonly fields: ReadonlyMap<string, FieldPlan>;
  /** Sorted, for people. */
  readonly names: readonly string[];
  readonly required: readonly FieldPlan[];
}

export interface FieldPlan {
  readonly jsonName: string;
  readonly localName: string;
  readonly shape: Shape;
  readonly required: boolean;
  /** Set by the controller: read over in a manifest, so that what `get -o yaml` prints can be applied. */
  readonly ignored: boolean;
  readonly served: Served;
  readonly desc: DescField;
}

/** A value that is no list and no map. */
export type SingleShape =
  | { readonly kind: 'text'; readonly allowedValues: readonly string[]; readonly format: TextFormat | null; readonly charsMax: number }
  /** `wide`: a 64-bit field, held as bigint. */
  | { readonly kind: 'integer'; readonly min: number; readonly max: number; readonly wide: boolean }
  | { readonly kind: 'number'; readonly min: number; readonly max: number }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'message'; readonly plan: MessagePlan };

export type Shape =
  | SingleShape
  | { readonly kind: 'list'; readonly item: SingleShape; readonly itemsMin: number; readonly itemsMax: number }
  | {
      readonly kind: 'map';
      readonly value: SingleShape;
      /** Empty: any. */
      readonly keys: readonly string[];
      readonly keyFormat: TextFormat | null;
      readonly itemsMin: number;
      readonly itemsMax: number;
    };

const defaultTextCharsMax = 4096;
const defaultItemsMax = 1024;

/** Fields that only the controller writes, by message. */
const writtenByController: Readonly<Record<string, readonly string[]>> = {
  'shoal.v1.ObjectMeta': ['uid', 'resource_version', 'creation_timestamp'],
  'shoal.v1.TrainingJob': ['status'],
  'shoal.v1.Queue': ['status'],
  'shoal.v1.Reservation': ['status'],
};

const plans = new Map<string, MessagePlan>();

/** The plan of a message; compiled at its first use. Messages of manifests do not contain themselves. */
export function messagePlan(desc: DescMessage): MessagePlan {
  const known = plans.get(desc.typeName);
  if (known !== undefined) return known;
  const ignored = writtenByController[desc.typeName] ?? [];
  const fields = desc.fields.map((field): FieldPlan => {
    const rules = getOption(field, fieldRules);
    const isIgnored = ignored.includes(field.name);
    const shape: Shape = isIgnored ? { kind: 'boolean' } : shapeOf(field, rules);
    return {
      jsonName: field.jsonName,
      localName: field.localName,
      shape,
      required: rules.required,
      ignored: isIgnored,
      served: rules.served,
      desc: field,
    };
  });
  const plan: MessagePlan = {
    desc,
    fields: new Map(fields.map((field) => [field.jsonName, field])),
    names: fields
      .filter((field) => !field.ignored)
      .map((field) => field.jsonName)
      .sort(),
    required: fields.filter((field) => field.required),
  };
  plans.set(desc.typeName, plan);
  return plan;
}

function shapeOf(field: DescField, rules: FieldRules): Shape {
  const bounds = { itemsMin: rules.minItems, itemsMax: rules.maxItems === 0 ? defaultItemsMax : rules.maxItems };
  switch (field.fieldKind) {
    case 'list':
      assert(field.listKind !== 'enum', `${field.parent.typeName}.${field.name}: manifests have no enums`);
      return {
        kind: 'list',
        item: field.listKind === 'message' ? ofMessage(field.message) : ofScalar(field, field.scalar, rules),
        ...bounds,
      };
    case 'map': {
      assert(
        field.mapKind !== 'enum' && field.mapKey === ScalarType.STRING,
        `${field.parent.typeName}.${field.name}: manifests have maps by text only`,
      );
      const value = field.mapKind === 'message' ? ofMessage(field.message) : ofScalar(field, field.scalar, rules);
      return { kind: 'map', value, keys: rules.keys, keyFormat: rules.format === 'label' ? textFormats.labelKey : null, ...bounds };
    }
    case 'message':
      return ofMessage(field.message);
    case 'scalar':
      return ofScalar(field, field.scalar, rules);
    case 'enum':
      throw new Error(`${field.parent.typeName}.${field.name}: manifests have no enums`);
    default:
      return assertNever(field);
  }
}

const ofMessage = (desc: DescMessage): SingleShape => ({ kind: 'message', plan: messagePlan(desc) });

function ofScalar(field: DescField, scalar: ScalarType, rules: FieldRules): SingleShape {
  switch (scalar) {
    case ScalarType.STRING:
      return {
        kind: 'text',
        allowedValues: rules.in,
        format: rules.format === '' ? null : textFormats[formatName(field, rules.format)],
        charsMax: rules.maxLength === 0 ? defaultTextCharsMax : rules.maxLength,
      };
    case ScalarType.BOOL:
      return { kind: 'boolean' };
    case ScalarType.DOUBLE:
      return { kind: 'number', min: Number(rules.min ?? -Number.MAX_VALUE), max: Number(rules.max ?? Number.MAX_VALUE) };
    case ScalarType.INT32:
      return { kind: 'integer', min: Number(rules.min ?? -(2 ** 31)), max: Number(rules.max ?? 2 ** 31 - 1), wide: false };
    case ScalarType.INT64:
      return {
        kind: 'integer',
        min: Number(rules.min ?? Number.MIN_SAFE_INTEGER),
        max: Number(rules.max ?? Number.MAX_SAFE_INTEGER),
        wide: true,
      };
    default:
      throw new Error(`${field.parent.typeName}.${field.name}: manifests have no ${ScalarType[scalar]} fields`);
  }
}

function formatName(field: DescField, format: string): TextFormatName {
  assert(isTextFormatName(format), `${field.parent.typeName}.${field.name}: rules.proto has no format ${format}`);
  return format;
}

/** What a shape allows, in words: after "allowed: ". */
export function describeShape(shape: Shape): string {
  switch (shape.kind) {
    case 'text':
      if (shape.allowedValues.length > 0) return shape.allowedValues.join(', ');
      return shape.format?.allowed ?? `text of at most ${shape.charsMax} characters`;
    case 'integer':
      return `an integer from ${shape.min} to ${shape.max}`;
    case 'number':
      return `a number from ${shape.min} to ${shape.max}`;
    case 'boolean':
      return 'true or false';
    case 'message':
      return `a mapping with ${shape.plan.names.join(', ')}`;
    case 'list':
      return `a list of ${countOf(shape)}, each ${describeShape(shape.item)}`;
    case 'map':
      return `a mapping of ${shape.keys.length === 0 ? countOf(shape) : `${shape.keys.join(', ')}`}, each ${describeShape(shape.value)}`;
    default:
      return assertNever(shape);
  }
}

function countOf({ itemsMin, itemsMax }: { readonly itemsMin: number; readonly itemsMax: number }): string {
  return itemsMin === 0 ? `at most ${itemsMax} entries` : `${itemsMin} to ${itemsMax} entries`;
}
