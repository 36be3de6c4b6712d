/**
 * Text of a file → its manifests, as JSON values, each able to say where in the file a field stands. YAML (one or more
 * documents) or JSON (one document, or one a line).
 *
 * A client's work: the controller is sent JSON. Refused here is what JSON cannot carry or what would be lost on the way:
 * keys given twice, keys that are no text, unknown tags, `.nan` and `.inf`, aliases that expand to more than the file may
 * hold. JSON is read by JSON.parse, some 15 times as fast as YAML (4,000 small jobs: 0.12 s against 1.8 s; 2 cores, 2026-11).
 */
import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  parseAllDocuments,
  parseDocument,
  type Alias,
  type Document,
  type Node,
  type Pair,
} from 'yaml';
import { manifestDepthMax } from './decode.ts';
import { parseFieldPath } from './fieldPath.ts';
import { excerpt, pathDeeperThan } from './fieldProblem.ts';

/** Largest file, in bytes; also the largest that one Apply takes. */
export const manifestBytesMax = 8 * 2 ** 20;
/** Most documents in one file; also the most that one Apply takes. */
const manifestDocumentsMax = 5000;
const textProblemsMax = 50;

export interface ManifestDocument {
  readonly json: unknown;
  readonly file: string;
  /** Where the document begins. */
  readonly start: Position;
  /** Where a field stands (its name, or the item of a list); the nearest field around it when it is not there. */
  locate(fieldPath: string): Position;
}

/** Both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface TextProblem extends Position {
  readonly file: string;
  readonly message: string;
}

export type ManifestTextResult =
  | { readonly ok: true; readonly documents: readonly ManifestDocument[] }
  | { readonly ok: false; readonly problems: readonly TextProblem[] };

/** `jobs.yaml:3:5: duplicate key "workers"` */
export function describeTextProblem({ file, line, column, message }: TextProblem): string {
  return `${file}:${line}:${column}: ${message}`;
}

export function parseManifests(text: string, file: string): ManifestTextResult {
  const bytes = Buffer.byteLength(text);
  if (bytes > manifestBytesMax)
    return refuse(file, `${(bytes / 2 ** 20).toFixed(1)} MiB; allowed: at most ${manifestBytesMax / 2 ** 20} MiB`);
  const result = parseJsonText(text, file) ?? parseYamlText(text, file);
  if (!result.ok) return result;
  if (result.documents.length === 0) return refuse(file, 'holds no manifest');
  if (result.documents.length > manifestDocumentsMax)
    return refuse(file, `${result.documents.length} manifests; allowed: at most ${manifestDocumentsMax}`);
  return result;
}

function refuse(file: string, message: string): ManifestTextResult {
  return { ok: false, problems: [{ file, line: 1, column: 1, message }] };
}

/** undefined: not JSON, or JSON with a fault, which the YAML parser then finds and can point at. */
function parseJsonText(text: string, file: string): ManifestTextResult | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  const whole = parseJson(text);
  if (whole !== undefined) return { ok: true, documents: [jsonDocument(whole, text, file, 1)] };
  const documents: ManifestDocument[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const json = parseJson(line);
    if (json === undefined) return undefined;
    documents.push(jsonDocument(json, line, file, index + 1));
  }
  return { ok: true, documents };
}

function parseJson(text: string): unknown {
  try {
    const json: unknown = JSON.parse(text);
    if (pathDeeperThan(json, manifestDepthMax) !== null) return undefined;
    // JSON.parse keeps the last of two equal keys and says nothing: the text must have as many keys as the value.
    let keys = 0;
    for (const [, colon] of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)) if (colon !== undefined) keys++;
    return keys === countKeys(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

function countKeys(json: unknown): number {
  if (typeof json !== 'object' || json === null) return 0;
  const values: readonly unknown[] = Object.values(json);
  return values.reduce<number>((count, value) => count + countKeys(value), Array.isArray(json) ? 0 : values.length);
}

function jsonDocument(json: unknown, text: string, file: string, firstLine: number): ManifestDocument {
  return {
    json,
    file,
    start: { line: firstLine, column: 1 },
    locate(fieldPath) {
      const lines = new LineCounter();
      const { line, column } = locateIn(parseDocument(text, { lineCounter: lines, logLevel: 'silent' }), fieldPath, lines);
      return { line: line + firstLine - 1, column };
    },
  };
}

function parseYamlText(text: string, file: string): ManifestTextResult {
  const lines = new LineCounter();
  const source: Source = { file, lines, problems: [] };
  if (isNestedTooDeep(text)) return refuse(file, `nested deeper than ${manifestDepthMax} levels`);
  let parsed: readonly Document[];
  try {
    const all = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false, logLevel: 'silent' });
    parsed = Array.isArray(all) ? all : [];
  } catch (error) {
    // The parser recurses, and its stack may be short of what `isNestedTooDeep` lets through.
    if (error instanceof RangeError) return refuse(file, `nested deeper than ${manifestDepthMax} levels`);
    throw error;
  }
  const documents = parsed.flatMap((document) => {
    const json = readYaml(document, source);
    return json === undefined || json === null ? [] : [yamlDocument(json, document, source)];
  });
  return source.problems.length === 0 ? { ok: true, documents } : { ok: false, problems: source.problems };
}

/**
 * Whether brackets, or dashes on one line, nest so deep that parsing would take all memory: some 500 bytes a level, so
 * that a file of 8 MiB would take 4 GiB. Counts characters first; only where those are many does it look which of them are
 * brackets of YAML and which are text.
 */
function isNestedTooDeep(text: string): boolean {
  if (/^ *(?:[-?:][ \t]+){1000}/m.test(text)) return true;
  if (deepest(text) <= manifestDepthMax) return false;
  let depth = 0;
  for (const token of new Lexer().lex(text)) {
    if (token === '[' || token === '{') depth++;
    else if (token === ']' || token === '}') depth--;
    if (depth > manifestDepthMax) return true;
  }
  return false;
}

function deepest(text: string): number {
  let depth = 0;
  let most = 0;
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    depth += bracket === '[' || bracket === '{' ? 1 : -1;
    if (depth > most) most = depth;
  }
  return most;
}

interface Source {
  readonly file: string;
  readonly lines: LineCounter;
  readonly problems: TextProblem[];
}

function yamlDocument(json: unknown, document: Document, { file, lines }: Source): ManifestDocument {
  const start = positionOf(startOf(document), lines);
  return { json, file, start, locate: (fieldPath) => locateIn(document, fieldPath, lines) };
}

/** undefined: there is a problem, and it is told. */
function readYaml(document: Document, source: Source): unknown {
  for (const { pos, message } of [...document.errors, ...document.warnings]) tell(source, pos[0], plain(message));
  if (document.errors.length + document.warnings.length > 0) return undefined;
  const before = source.problems.length;
  const aliases: Alias[] = [];
  judgeNode(document.contents, manifestDepthMax, source, aliases);
  if (source.problems.length > before) return undefined;
  try {
    const json: unknown = document.toJS({ maxAliasCount: 100 });
    if (aliases.length === 0) return json;
    const deep = pathDeeperThan(json, manifestDepthMax);
    if (deep === null && charsLeft(json, manifestBytesMax) >= 0) return json;
    tell(
      source,
      startOf(document),
      deep === null
        ? 'aliases (*) expand to more than a file may hold'
        : `nested deeper than ${manifestDepthMax} levels through an alias (*)`,
    );
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    const unknown = aliases.find((alias) => error.message.startsWith('Unresolved alias') && error.message.endsWith(`: ${alias.source}`));
    if (unknown === undefined) tell(source, startOf(document), 'aliases (*) expand to too much; allowed: at most 100 in all');
    else tell(source, unknown.range?.[0] ?? 0, `alias *${unknown.source} stands before its anchor, or has none`);
  }
  return undefined;
}

/** What the parser takes but a manifest must not have. */
function judgeNode(node: unknown, depth: number, source: Source, aliases: Alias[]): void {
  if (isAlias(node)) aliases.push(node);
  if (isScalar(node) && typeof node.value === 'number' && !Number.isFinite(node.value)) {
    tell(source, node.range?.[0] ?? 0, `${excerpt(node.source ?? node.value)} is no number that a manifest may hold`);
  }
  if (!isMap(node) && !isSeq(node)) return;
  if (depth === 0) return tell(source, node.range?.[0] ?? 0, `nested deeper than ${manifestDepthMax} levels`);
  const keys = new Set<string>();
  for (const item of node.items) {
    if (isPair(item)) {
      judgeKey(item, keys, source);
      judgeNode(item.value, depth - 1, source, aliases);
    } else judgeNode(item, depth - 1, source, aliases);
  }
}

function judgeKey({ key }: Pair, seen: Set<string>, source: Source): void {
  const at = (key as Node | null)?.range?.[0] ?? 0;
  if (!isScalar(key)) return tell(source, at, 'a key must be text');
  const name = String(key.value);
  if (seen.has(name)) tell(source, at, `duplicate key ${excerpt(name)}`);
  seen.add(name);
}

/** What is left of a budget after a value is written out; stops as soon as it is spent. */
function charsLeft(json: unknown, budget: number): number {
  if (typeof json !== 'object' || json === null) return budget - String(json).length;
  let left = budget - 2;
  for (const [key, value] of Object.entries(json)) {
    if (left < 0) return left;
    left = charsLeft(value, left - key.length - 2);
  }
  return left;
}

function tell({ file, lines, problems }: Source, offset: number, message: string): void {
  if (problems.length < textProblemsMax) problems.push({ file, ...positionOf(offset, lines), message });
}

/** First sentence of the parser's message, which may go on with an excerpt of the text. */
const plain = (message: string): string => (message.split('\n')[0] ?? message).replace(/ at line \d+, column \d+:?$/, '');

const startOf = (document: Document): number => document.contents?.range?.[0] ?? document.range?.[0] ?? 0;

function positionOf(offset: number, lines: LineCounter): Position {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

function locateIn(document: Document, fieldPath: string, lines: LineCounter): Position {
  let offset = startOf(document);
  let node: unknown = document.contents;
  for (const part of parseFieldPath(fieldPath) ?? []) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
      if (pair === undefined) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof part === 'number' && node.items[part] !== undefined) {
      node = node.items[part];
      offset = (node as Node).range?.[0] ?? offset;
    } else break;
  }
  return positionOf(offset, lines);
}
