/** What no linter knows: names, sizes, links, and that the documents speak of what is there. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { commandSources } from '#cli/commands.ts';
import { commandLines, listFiles, listFolders, readText, repositoryRoot } from './repositoryFiles.ts';

const files = listFiles();
const sources = files.filter((path) => /[.](ts|mjs|cjs|py|sh|proto)$/.test(path) && !path.startsWith('proto/gen/'));
const documents = files.filter((path) => path.endsWith('.md'));

describe('sources', () => {
  test('there are some to look at', () => {
    expect(sources.length).toBeGreaterThan(50);
  });

  test('no file has more than 400 lines', () => {
    const sizes = sources.map((path) => ({ path, lines: readText(path).trimEnd().split('\n').length }));
    expect(sizes.filter(({ lines }) => lines > 400)).toEqual([]);
  });

  test('no note says that something is still to be done', () => {
    const note = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X'.repeat(3)].join('|')})\\b`);
    expect([...sources, ...documents].filter((path) => note.test(readText(path)))).toEqual([]);
  });

  test('no test is left out or run alone', () => {
    const leftOut = /\b(test|it|describe)[.](skip|only|todo)\b/;
    expect(sources.filter((path) => path.endsWith('.test.ts') && leftOut.test(readText(path)))).toEqual([]);
  });

  test('no path of a developer’s machine is written down', () => {
    const home = new RegExp(`(^|[\\s"'\`(=:])/(${['work', 'home', 'Users', 'root'].join('|')})/\\w`, 'm');
    const texts = files.filter((path) => /[.](ts|mjs|cjs|py|sh|proto|md|json|ya?ml|toml)$|^[.]ci[/]/.test(path));
    expect(texts.filter((path) => home.test(readText(path)))).toEqual([]);
  });
});

describe('folders', () => {
  const folders = listFolders();

  test('have names that say what is inside', () => {
    const vague = new Set(['utils', 'util', 'helpers', 'common', 'misc', 'types', 'shared', 'lib']);
    const names = folders.map((path) => ({ path, name: path.split('/').at(-1) ?? '' }));
    expect(names.filter(({ name }) => vague.has(name)).map(({ path }) => path)).toEqual([]);
    expect(sources.filter((path) => /(^|[/])(utils?|helpers?|common|misc|types)[.]ts$/.test(path))).toEqual([]);
  });

  test('hold something', () => {
    expect(folders.filter((path) => readdirSync(join(repositoryRoot, path)).length === 0)).toEqual([]);
  });
});

describe('documents', () => {
  test('every decision has a number, a title, and says context, decision and consequences', () => {
    const decisions = files.filter((path) => path.startsWith('docs/decisions/'));
    expect(decisions.length).toBeGreaterThan(0);
    for (const path of decisions) {
      const number = /^docs\/decisions\/(\d{4})-[a-z0-9-]+[.]md$/.exec(path)?.[1];
      expect(number, path).toBeDefined();
      expect(readText(path), path).toMatch(new RegExp(`^# ${number} · .+\n[^]*^## Context\n[^]*^## Decision\n[^]*^## Consequences\n`, 'm'));
    }
    expect(new Set(decisions.map((path) => path.slice(0, 19))).size, 'each number once').toBe(decisions.length);
  });

  test('every relative link leads to a file, and to a heading where it names one', () => {
    expect(documents.flatMap(brokenLinks)).toEqual([]);
  });

  test('every command that a document shows exists', () => {
    expect(documents.filter((path) => path !== 'CHANGELOG.md').flatMap(unknownCommands)).toEqual([]);
  });

  test('CONTRIBUTING explains every npm script', () => {
    const text = readText('CONTRIBUTING.md');
    const unexplained = scriptNames().filter((name) => !text.includes(`\`npm ${name === 'test' ? '' : 'run '}${name}`));
    expect(unexplained).toEqual([]);
  });

  test('the map of the tree in ARCHITECTURE names every room that there is, and stays short', () => {
    const text = readText('ARCHITECTURE.md');
    expect(text.split('\n').length).toBeLessThan(300);
    const rooms = new Set(sources.filter((path) => path.includes('/')).map((path) => `${path.split('/')[0]}/`));
    expect([...rooms].filter((room) => !text.includes(`\n${room}`))).toEqual([]);
  });

  test('the licence is Apache-2.0, in full', () => {
    const text = readText('LICENSE');
    expect(text).toContain('Apache License\n                           Version 2.0, January 2004');
    expect(text).toContain('APPENDIX: How to apply the Apache License to your work.');
  });
});

function scriptNames(): readonly string[] {
  const manifest: { scripts: Readonly<Record<string, string>> } = JSON.parse(readText('package.json'));
  return Object.keys(manifest.scripts);
}

function brokenLinks(path: string): readonly string[] {
  const links = [...readText(path).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link ?? '');
  return links.filter((link) => !/^[a-z]+:/.test(link) && !leadsSomewhere(path, link)).map((link) => `${path}: ${link}`);
}

function leadsSomewhere(from: string, link: string): boolean {
  const [file = '', heading = ''] = link.split('#');
  const target = file === '' ? from : normalize(join(dirname(from), file));
  if (!existsSync(join(repositoryRoot, target))) return false;
  return heading === '' || headingsOf(readText(target)).has(heading);
}

/** Headings as the anchors that GitHub makes of them. */
function headingsOf(markdown: string): ReadonlySet<string> {
  const titles = [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, title]) => title ?? '');
  return new Set(
    titles.map((title) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

/** Lines whose npm script, file or `shoal` command is not there. */
function unknownCommands(path: string): readonly string[] {
  const scripts = scriptNames();
  const verbs = new Set(commandSources.flatMap((each) => each.verbs));
  return commandLines(readText(path))
    .filter((line) => {
      const [program = '', first = '', second = ''] = line.split(/\s+/);
      if (program === 'npm' && first === 'run') return !scripts.includes(second);
      if (program === 'npm' && first === 'test') return !scripts.includes('test');
      if (program === 'shoal') return /^[a-z]/.test(first) && !verbs.has(first);
      return program.startsWith('bench/') || program.startsWith('.ci/') ? !existsSync(join(repositoryRoot, program)) : false;
    })
    .map((line) => `${path}: ${line}`);
}
