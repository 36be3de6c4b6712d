import { expect, test } from 'vitest';
import { findLink } from './pipWheel.ts';

const page = 'https://mirror.example/simple/pip/';

test('the wheel is found among other versions, with its own link', () => {
  const listing = `<a href="https://files.example/a/pip-25.0-py3-none-any.whl#sha256=0">pip-25.0</a><br/>
    <a href="https://files.example/b/pip-26.0-py3-none-any.whl#sha256=1" data-requires-python="&gt;=3.9">pip-26.0</a>`;
  expect(findLink(listing, page)).toBe('https://files.example/b/pip-26.0-py3-none-any.whl#sha256=1');
});

test('a link of a mirror may be relative', () => {
  expect(findLink('<a href="../../packages/pip-26.0-py3-none-any.whl">', page)).toBe(
    'https://mirror.example/packages/pip-26.0-py3-none-any.whl',
  );
});

test('an index without it has none', () => {
  expect(findLink('<a href="pip-26.0.tar.gz">', page)).toBeUndefined();
});
