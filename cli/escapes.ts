/**
 * Text that comes from a job or a server may hold terminal escapes: they could retitle the window, hide lines or type
 * into the shell. On a terminal nothing but line feeds and tabs passes as a control character; all others are shown.
 * In a pipe the bytes stay as they are. Bidirectional overrides are shown too: they make a line read as another.
 */
const dangerous = /\r\n|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** `ESC[31m` → `^[[31m`; a lone carriage return becomes a line feed, so that progress bars stay readable. */
export function neutralizeEscapes(text: string): string {
  return text.replace(dangerous, shown);
}

function shown(match: string): string {
  if (match === '\r\n' || match === '\r') return '\n';
  const code = match.charCodeAt(0);
  if (code < 0x20) return `^${String.fromCharCode(code + 0x40)}`;
  if (code === 0x7f) return '^?';
  return `\\u${code.toString(16).padStart(4, '0')}`;
}

/** One line of a table or a section: line feeds and tabs would break its columns. */
export function oneLine(text: string): string {
  return text.replace(/\r?\n/g, '\\n').replace(/\t/g, ' ');
}
