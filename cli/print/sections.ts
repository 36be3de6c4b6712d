import { oneLine } from '../escapes.ts';
import { formatColumns } from './table.ts';

/** What `describe` prints: facts by name, then tables under a title. */
export type Section =
  | { readonly kind: 'facts'; readonly facts: readonly (readonly [name: string, value: string])[] }
  | {
      readonly kind: 'table';
      readonly title: string;
      readonly heads: readonly string[];
      readonly rows: readonly (readonly string[])[];
      readonly empty: string;
    };

/** Facts whose value is empty are left out by the caller; a table without rows is one line. */
export function formatSections(sections: readonly Section[]): string {
  const facts = sections.flatMap((section) => (section.kind === 'facts' ? section.facts : []));
  const titles = sections.flatMap((section) => (section.kind === 'table' && section.rows.length === 0 ? [section.title] : []));
  const width = Math.max(0, ...facts.map(([name]) => name.length), ...titles.map((title) => title.length)) + 4;
  return sections.map((section) => formatSection(section, width)).join('');
}

function formatSection(section: Section, width: number): string {
  if (section.kind === 'facts') return section.facts.map(([name, value]) => fact(name, value, width)).join('');
  if (section.rows.length === 0) return fact(section.title, section.empty, width);
  const lines = [section.heads, ...section.rows.map((row) => row.map(oneLine))];
  return `${section.title}:\n${indent(formatColumns(lines))}`;
}

function fact(name: string, value: string, width: number): string {
  return `${`${name}:`.padEnd(width)}${oneLine(value)}\n`;
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
