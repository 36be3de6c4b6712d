import { describeTextProblem, parseManifests as parseText, type ManifestDocument } from '#codec/manifestYaml.ts';
import type { Loaded, Manifest } from './manifest.ts';

/** A text's documents. A `kind: List`, as `get -o yaml` prints it, stands for its items; each keeps its place in the text. */
export function parseManifests(file: string, text: string): Loaded {
  const parsed = parseText(text, file);
  if (!parsed.ok) return { manifests: [], problems: parsed.problems.map(describeTextProblem) };
  return { manifests: parsed.documents.flatMap((document) => manifestsOf(document)), problems: [] };
}

function manifestsOf(document: ManifestDocument): readonly Manifest[] {
  const items = member(document.json, 'items');
  if (member(document.json, 'kind') !== 'List' || !Array.isArray(items)) return [manifestOf(document, document.json, '')];
  return items.map((item: unknown, index) => manifestOf(document, item, `items[${index}]`));
}

function manifestOf(document: ManifestDocument, json: unknown, within: string): Manifest {
  return {
    kind: textOf(member(json, 'kind')),
    name: textOf(member(member(json, 'metadata'), 'name')),
    json: JSON.stringify(json),
    where: (field) => {
      const path = [within, field].filter((part) => part !== '').join('.');
      const { line, column } = path === '' ? document.start : document.locate(path);
      return `${document.file}:${line}:${column}`;
    },
  };
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
