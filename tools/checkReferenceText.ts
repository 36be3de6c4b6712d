/**
 * The manifest reference as text: one section a kind, one table a message, in the order of the proto files. What a field
 * means is its comment, what it may hold are its rules, so this page cannot say anything that the decoder does not do.
 */
import { createFileRegistry, type DescField, type DescMessage, fromBinary, getOption, hasOption, ScalarType } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { type FieldRules, rules as rulesOption, Served } from '#gen/shoal/v1/rules_pb.js';

/** Manifests that people write; what else is in the proto files is not for manifests. */
const kinds = ['TrainingJob', 'Queue', 'Reservation', 'InferenceService', 'PriceBook'] as const;
/** Defaults of rules.proto. */
const defaultMaxLength = 4096;
const defaultMaxItems = 1024;

const intro = `# Manifests

This page is printed from \`proto/shoal/v1/*.proto\` by \`npm run generate\`; do not edit it.

A manifest is YAML or JSON, with one or more documents. Every document has \`apiVersion: shoal.dev/v1\` and a \`kind\`. A field
that is not listed here is refused, with the nearest name that exists. Durations are written \`30s\`, \`5m\`, \`1h30m\`, \`7d\`;
quantities \`500m\` or \`64\`; bytes \`512Mi\`, \`64Gi\`.

Unless a table says otherwise a text has at most ${defaultMaxLength} characters and a list or map at most ${defaultMaxItems} entries. Fields marked
**no effect yet** are kept and shown, and applying warns. Fields marked **refused** parse, but a job that uses them is not taken.
\`status\` and the fields of \`metadata\` that the controller sets are never read from a manifest.
`;

/** `image` is a FileDescriptorSet with source information. */
export function printManifestReference(image: Uint8Array): string {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  const printed = new Set<DescMessage>();
  const sections = kinds.map((kind) => {
    const message = registry.getMessage(`shoal.v1.${kind}`);
    if (message === undefined) throw new Error(`proto has no message shoal.v1.${kind}`);
    return printKind(message, printed);
  });
  return [intro, ...sections].join('\n');
}

/** Adds to `printed`: a message that two kinds share stands under the first. */
function printKind(kind: DescMessage, printed: Set<DescMessage>): string {
  const messages = messagesOf(kind).filter((message) => !printed.has(message));
  for (const message of messages) printed.add(message);
  const tables = messages.map((message) => {
    const title = message === kind ? '' : `### ${message.name}\n\n${commentOf(message)}\n\n`;
    const rows = writableFields(message).map((field) => `| ${cellsOf(field).join(' | ')} |`);
    return `${title}| field | type | may hold | meaning |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n`;
  });
  return `## ${kind.name}\n\n${commentOf(kind)}\n\n${tables.join('\n')}`;
}

/** The message and all below it, each once, parents first. */
function messagesOf(root: DescMessage): readonly DescMessage[] {
  const found: DescMessage[] = [root];
  for (const message of found) {
    for (const field of writableFields(message)) {
      const child = messageOf(field);
      if (child !== undefined && !found.includes(child)) found.push(child);
    }
  }
  return found;
}

function messageOf(field: DescField): DescMessage | undefined {
  return field.fieldKind === 'scalar' || field.fieldKind === 'enum' ? undefined : field.message;
}

/** Fields that a person may write. */
function writableFields(message: DescMessage): readonly DescField[] {
  return message.fields.filter((field) => field.name !== 'status' && !commentOf(field).startsWith('Set by the controller'));
}

function cellsOf(field: DescField): readonly string[] {
  const rules = hasOption(field, rulesOption) ? getOption(field, rulesOption) : undefined;
  const limits = rules === undefined ? [] : limitsOf(rules, field);
  return [`\`${field.jsonName}\``, typeOf(field, rules), limits.join('; '), meaningOf(field, rules)].map((cell) =>
    cell.replaceAll('|', '\\|'),
  );
}

function meaningOf(field: DescField, rules: FieldRules | undefined): string {
  const child = messageOf(field);
  const comment = commentOf(field) || (child === undefined ? '' : commentOf(child));
  switch (rules?.served ?? Served.UNSPECIFIED) {
    case Served.UNSPECIFIED:
      return comment;
    case Served.WARN:
      return `**No effect yet.** ${comment}`.trimEnd();
    case Served.REFUSE:
      return `**Refused.** ${comment}`.trimEnd();
    default:
      throw new Error(`${field.toString()}: unknown value of served`);
  }
}

function typeOf(field: DescField, rules: FieldRules | undefined): string {
  const form = rules?.format ?? '';
  switch (field.fieldKind) {
    case 'scalar':
      return form === '' ? scalarName(field.scalar) : form;
    case 'message':
      return linkTo(field.message);
    case 'list':
      return `list of ${field.listKind === 'message' ? linkTo(field.message) : form === '' ? elementName(field) : form}`;
    case 'map':
      return `map of text to ${field.mapKind === 'message' ? linkTo(field.message) : form === '' ? elementName(field) : form}`;
    case 'enum':
      return 'text';
  }
}

const elementName = (field: DescField): string => (field.scalar === undefined ? 'text' : scalarName(field.scalar));
const linkTo = (message: DescMessage): string => `[${message.name}](#${message.name.toLowerCase()})`;

function scalarName(scalar: ScalarType): string {
  if (scalar === ScalarType.STRING) return 'text';
  if (scalar === ScalarType.BOOL) return 'true or false';
  return scalar === ScalarType.DOUBLE || scalar === ScalarType.FLOAT ? 'number' : 'whole number';
}

function limitsOf(rules: FieldRules, field: DescField): readonly string[] {
  const limits: string[] = [];
  if (rules.required) limits.push('**required**');
  if (rules.in.length > 0) limits.push(rules.in.map((value) => `\`${value}\``).join(', '));
  if (rules.keys.length > 0) limits.push(`keys ${rules.keys.map((key) => `\`${key}\``).join(', ')}`);
  const range = rangeOf(rules);
  if (range !== '') limits.push(field.fieldKind === 'map' ? `each ${range}` : range);
  if (rules.minItems > 0 || rules.maxItems > 0) limits.push(`${rules.minItems}..${rules.maxItems || defaultMaxItems} entries`);
  if (rules.maxLength > 0) limits.push(`at most ${rules.maxLength} characters`);
  return limits;
}

function rangeOf(rules: FieldRules): string {
  if (rules.min === undefined && rules.max === undefined) return '';
  return `${rules.min ?? ''}..${rules.max ?? ''}`;
}

/** The comment above a message or field, as one line. */
function commentOf(element: DescMessage | DescField): string {
  const message = element.kind === 'message' ? element : element.parent;
  const numbers = [4, message.file.messages.indexOf(message), ...(element.kind === 'field' ? [2, message.fields.indexOf(element)] : [])];
  const path = numbers.join('.');
  const location = message.file.proto.sourceCodeInfo?.location.find((each) => each.path.join('.') === path);
  return (location?.leadingComments ?? '').trim().replaceAll(/\s*\n\s*/g, ' ');
}
