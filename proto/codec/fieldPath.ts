/**
 * Paths of fields as people read them: `spec.template.command[0]`; a key with other characters than letters, digits,
 * `_` and `-` is quoted: `metadata.labels["team/name"]`.
 */
const plainKey = /^[A-Za-z0-9_-]+$/;
/** Longest key shown whole, in characters. */
const keyCharsMax = 80;

export function memberPath(path: string, key: string): string {
  if (!plainKey.test(key) || key.length > keyCharsMax) return `${path}[${JSON.stringify(key.slice(0, keyCharsMax))}]`;
  return path === '' ? key : `${path}.${key}`;
}

export function itemPath(path: string, index: number): string {
  return `${path}[${index}]`;
}

/** Keys (strings) and indices (numbers) from the outside in; undefined for text that is no path. */
export function parseFieldPath(text: string): readonly (string | number)[] | undefined {
  const parts: (string | number)[] = [];
  const pattern = /\.?([A-Za-z0-9_-]+)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/y;
  while (pattern.lastIndex < text.length) {
    const match = pattern.exec(text);
    if (match === null) return undefined;
    const [, key, index, quoted] = match;
    if (quoted !== undefined) parts.push(String(JSON.parse(quoted)));
    else parts.push(index === undefined ? (key ?? '') : Number(index));
  }
  return parts;
}
