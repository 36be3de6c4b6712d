import { readFileSync } from 'node:fs';

/** Of this program, from the package. */
export function clientVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const version: unknown = JSON.parse(text, (key, value: unknown) => (key === '' ? versionIn(value) : value));
  return typeof version === 'string' ? version : 'unknown';
}

function versionIn(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined;
}
