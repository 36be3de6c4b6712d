import { readFile } from 'node:fs/promises';

/** The end of a log, for a person who wants to know why a program did not start. A log that cannot be read has none. */
export async function lastLines(path: string, count: number): Promise<readonly string[]> {
  try {
    const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line.trim() !== '');
    return lines.slice(-count).map((line) => `  ${line}`);
  } catch {
    return [];
  }
}
