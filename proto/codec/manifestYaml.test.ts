import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compileManifest } from './manifest.ts';
import { describeTextProblem, parseManifests, type ManifestDocument } from './manifestYaml.ts';

function documentsOf(text: string): readonly ManifestDocument[] {
  const result = parseManifests(text, 'f.yaml');
  if (!result.ok) throw new Error(result.problems.map(describeTextProblem).join('\n'));
  return result.documents;
}

function problemsOf(text: string): readonly string[] {
  const result = parseManifests(text, 'f.yaml');
  return result.ok ? [] : result.problems.map(describeTextProblem);
}

const fixture = (file: string): string => readFileSync(new URL(`../../test/fixtures/manifests/${file}`, import.meta.url), 'utf8');

describe('documents', () => {
  test('are read from YAML in order, empty ones left out', () => {
    expect(documentsOf('---\na: 1\n---\n# nothing\n---\nb: [x, "2"]\n...\n').map(({ json, start }) => [json, start.line])).toEqual([
      [{ a: 1 }, 2],
      [{ b: ['x', '2'] }, 6],
    ]);
  });

  test('are read from JSON, whole or one a line', () => {
    expect(documentsOf('{"a": 1,\n "b": {"a": 2}}').map(({ json }) => json)).toEqual([{ a: 1, b: { a: 2 } }]);
    expect(documentsOf('{"a": 1}\n\n{"a": "\\"b\\": 1"}\n').map(({ json, start }) => [json, start.line])).toEqual([
      [{ a: 1 }, 1],
      [{ a: '"b": 1' }, 3],
    ]);
  });

  test('may use aliases with measure', () => {
    expect(documentsOf('a: &x [1, 2]\nb: *x')[0]?.json).toEqual({ a: [1, 2], b: [1, 2] });
  });

  test('keep words that older YAML took for booleans', () => {
    expect(documentsOf('a: yes\nb: on\nc: 0o14\nd: 1_000')[0]?.json).toEqual({ a: 'yes', b: 'on', c: 12, d: '1_000' });
  });
});

describe('text that is refused', () => {
  test.each([
    ['', 'f.yaml:1:1: holds no manifest'],
    ['# only a comment\n---\n', 'f.yaml:1:1: holds no manifest'],
    ['a:\n  b: 1\n  b: 2', 'f.yaml:3:3: duplicate key "b"'],
    ['{"a": 1, "a": 2}', 'f.yaml:1:10: duplicate key "a"'],
    ['a:\n  - b: c: d', 'f.yaml:2:8: Nested mappings are not allowed in compact mappings'],
    ['a: 1\n\tb: 2', 'f.yaml:2:1: Tabs are not allowed as indentation'],
    ['a: "open', 'f.yaml:1:9: Missing closing "quote'],
    ['a: .nan', 'f.yaml:1:4: ".nan" is no number that a manifest may hold'],
    ['a: [1, -.inf]', 'f.yaml:1:8: "-.inf" is no number that a manifest may hold'],
    ['? [x]\n: 1', 'f.yaml:1:3: a key must be text'],
    ['a: !secret 1', 'f.yaml:1:4: Unresolved tag: !secret'],
    ['a: [1, *x]', 'f.yaml:1:8: alias *x stands before its anchor, or has none'],
    ['a: &a {b: *a}', 'f.yaml:1:1: nested deeper than 32 levels through an alias (*)'],
    [`a: ${'['.repeat(40)}${']'.repeat(40)}`, 'f.yaml:1:1: nested deeper than 32 levels'],
    [
      `a:\n${Array.from({ length: 40 }, (_, level) => `${' '.repeat(level + 1)}b:`).join('\n')} 1`,
      'f.yaml:33:33: nested deeper than 32 levels',
    ],
  ])('%j', (text, want) => {
    expect(problemsOf(text)).toEqual([want]);
  });

  test('names every document that is wrong', () => {
    expect(problemsOf('a: 1\na: 2\n---\nb: 1\n---\nc: .inf')).toEqual([
      'f.yaml:2:1: duplicate key "a"',
      'f.yaml:6:4: ".inf" is no number that a manifest may hold',
    ]);
  });

  test('too many bytes or documents', () => {
    expect(problemsOf(`a: ${'x'.repeat(10 * 2 ** 20)}`)).toEqual(['f.yaml:1:1: 10.0 MiB; allowed: at most 8 MiB']);
    expect(problemsOf('{"a":1}\n'.repeat(5001))).toEqual(['f.yaml:1:1: 5001 manifests; allowed: at most 5000']);
  });

  test('aliases that expand to too much, by count or by size', () => {
    const level = (name: string, of: string): string => `${name}: &${name} [${Array.from({ length: 9 }, () => of).join(', ')}]`;
    expect(problemsOf([level('a', 'x'), level('b', '*a'), level('c', '*b'), level('d', '*c')].join('\n'))).toEqual([
      'f.yaml:1:1: aliases (*) expand to too much; allowed: at most 100 in all',
    ]);
    expect(problemsOf(`a: &a ${'x'.repeat(2 ** 20)}\nb: [${Array.from({ length: 9 }, () => '*a').join(', ')}]`)).toEqual([
      'f.yaml:1:1: aliases (*) expand to more than a file may hold',
    ]);
  });

  test('nesting that would take all memory', () => {
    expect(problemsOf('['.repeat(8_000_000))).toEqual(['f.yaml:1:1: nested deeper than 32 levels']);
    expect(problemsOf('- '.repeat(1_000_000))).toEqual(['f.yaml:1:1: nested deeper than 32 levels']);
    expect(problemsOf(`{"a":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`)).toEqual(['f.yaml:1:1: nested deeper than 32 levels']);
  });

  test('brackets inside text are no nesting', () => {
    expect(documentsOf(`a: |\n  ${'['.repeat(1000)}\nb: "${'{'.repeat(1000)}"`)).toHaveLength(1);
  });
});

describe('a field is found in the source', () => {
  const [, second] = documentsOf(
    'a: 1\n---\nspec:\n  mesh: {data: 2,\n    tensor: 3}\n  template:\n    command:\n      - python\n      - x\n  labels: {"a.org/b": &v 1, c: *v}\n',
  );
  test.each([
    ['', 3, 1],
    ['spec', 3, 1],
    ['spec.mesh.tensor', 5, 5],
    ['spec.template.command[1]', 9, 9],
    ['spec.labels["a.org/b"]', 10, 12],
    ['spec.template.missing.deeper', 6, 3],
    ['spec.template.command[7]', 7, 5],
    ['spec.labels.c.x', 10, 29],
    ['not a path!', 3, 1],
  ])('%s', (path, line, column) => {
    expect(second?.locate(path)).toEqual({ line, column });
  });

  test('in JSON with one document a line', () => {
    expect(documentsOf('{"a":1}\n{"spec":{"mesh":1}}')[1]?.locate('spec.mesh')).toEqual({ line: 2, column: 10 });
  });

  test('for each problem of a real manifest', () => {
    const [document] = documentsOf(fixture('train-gpt.yaml').replace('gpusPerWorker', 'gpusPerworker').replace('500m', 'many'));
    const result = compileManifest(document?.json);
    const places = result.ok ? [] : result.problems.map(({ field }) => [field, document?.locate(field)]);
    expect(places).toEqual([
      ['spec.gpusPerworker', { line: 10, column: 3 }],
      ['spec.template.resources.cpu', { line: 16, column: 17 }],
    ]);
  });
});
