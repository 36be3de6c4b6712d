import { isMap, parseDocument } from 'yaml';
import { itemPath } from '#codec/fieldPath.ts';
import { readFields, describeUnknown, type Fields } from '#codec/fields.ts';
import { jobName, nodeName, userName } from '#vocabulary/ids.ts';
import type { TimelineContext } from './known.ts';
import { orderVerbs, troubleAnnotation, watchAnnotation, type Trouble } from './trouble.ts';

/** The annotations of a scenario that the simulator reads; all others are for people. */
export function parseAnnotations(metadata: Fields | null, context: TimelineContext): { trouble: Trouble | null; watch: 'core' | 'every' } {
  const annotations =
    metadata?.has('annotations') === true
      ? readFields(metadata.raw('annotations'), metadata.at('annotations'), null, metadata.problems)
      : null;
  const watch = annotations?.choice(watchAnnotation, ['core', 'every']) ?? 'core';
  if (annotations?.has(troubleAnnotation) !== true) return { trouble: null, watch };
  return { trouble: parseTrouble(annotations, context), watch };
}

/** The value is text, as of every annotation: YAML in YAML. */
function parseTrouble(annotations: Fields, context: TimelineContext): Trouble | null {
  const text = annotations.text(troubleAnnotation);
  if (text === null) return null;
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined || !isMap(document.contents)) {
    annotations.refuse(troubleAnnotation, 'YAML of late, doubled, controllerRestarts, agentRestarts, orders');
    return null;
  }
  const known = ['late', 'doubled', 'controllerRestarts', 'agentRestarts', 'orders'];
  const json: unknown = document.toJS();
  const fields = readFields(json, annotations.at(troubleAnnotation), known, annotations.problems);
  if (fields === null) return null;
  return {
    lateMs: fields.durationMs('late') ?? 0,
    doubled: fields.number('doubled', { min: 0, max: 1 }) ?? 0,
    controllerRestarts: eachOf(fields, 'controllerRestarts', ['at', 'for', 'afterCommit', 'fromSnapshot'], (one, atMs) => [
      {
        atMs,
        forMs: one.durationMs('for') ?? 0,
        afterCommit: one.flag('afterCommit') ?? false,
        fromSnapshot: one.flag('fromSnapshot') ?? false,
      },
    ]),
    agentRestarts: eachOf(fields, 'agentRestarts', ['at', 'node'], (one, atMs) => {
      const node = nameOf(
        one,
        'node',
        context.nodes.map(({ name }) => name),
      );
      return node === null ? [] : [{ atMs, node: nodeName(node) }];
    }),
    orders: eachOf(fields, 'orders', ['at', 'user', 'verb', 'job'], (one, atMs) => {
      one.require('verb');
      const verb = one.choice('verb', orderVerbs);
      const job = nameOf(one, 'job', [...context.known.jobs]);
      return verb === null || job === null ? [] : [{ atMs, user: userName(one.text('user') ?? 'operator'), verb, job: jobName(job) }];
    }),
  };
}

function eachOf<T>(
  fields: Fields,
  name: string,
  known: readonly string[],
  read: (one: Fields, atMs: number) => readonly T[],
): readonly T[] {
  return fields.list(name).flatMap((value, index) => {
    const one = readFields(value, itemPath(fields.at(name), index), known, fields.problems);
    if (one?.require('at') !== true) return [];
    const atMs = one.durationMs('at');
    return atMs === null ? [] : read(one, atMs);
  });
}

function nameOf(one: Fields, name: string, known: readonly string[]): string | null {
  if (!one.require(name)) return null;
  const text = one.text(name);
  if (text === null || known.includes(text)) return text;
  one.problems.add(one.at(name), `${name} ${describeUnknown(text, known)}`);
  return null;
}
