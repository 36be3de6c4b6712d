/**
 * The journal as a file: one line an entry, `<crc32, 8 hex digits> <JSON>\n`, after a header line that names the
 * format. A write that was cut off by a crash leaves a last line without its end: it was never acknowledged, and is
 * dropped. Anything else that does not read back as it was written is damage, and refused: guessing here would start
 * a rank twice. Rewriting goes through a second file and a rename.
 */
import { open, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { assert } from '#vocabulary/assert.ts';
import { journalKinds, type JournalEntry } from '../../core/journalEntry.ts';
import { limits } from '../../limits.ts';
import type { Journal } from '../../ports/journal.ts';

const header = { shoalAgentJournal: 1 };

/** The journal's file is not as it was written. */
export class JournalDamaged extends Error {
  constructor(path: string, what: string) {
    super(
      `${path}: ${what}. The journal tells which ranks run here; without it they could start twice. ` +
        `Drain this node, make sure that none of its ranks is alive, then move the file away and start the agent again.`,
    );
    this.name = 'JournalDamaged';
  }
}

/** Makes the file when it is missing. */
export async function openFileJournal(path: string): Promise<Journal> {
  const { entries, goodBytes } = parseJournal(path, await readOrEmpty(path));
  const file = await open(path, 'a+', 0o600);
  const journal = new FileJournal(path, file, entries);
  await journal.begin(goodBytes);
  return journal;
}

class FileJournal implements Journal {
  readonly #path: string;
  #file: FileHandle;
  #read: readonly JournalEntry[] | null;
  /** Up to here the file is known to be good. */
  #goodBytes = 0;

  constructor(path: string, file: FileHandle, read: readonly JournalEntry[]) {
    this.#path = path;
    this.#file = file;
    this.#read = read;
  }

  /** Cuts off a torn end, and writes the header of a new file. */
  async begin(goodBytes: number): Promise<void> {
    this.#goodBytes = goodBytes;
    if (goodBytes === 0) {
      await this.#write(encodeLine(header));
      await syncFolder(this.#path);
    } else await this.#file.truncate(goodBytes);
  }

  async read(): Promise<readonly JournalEntry[]> {
    const entries = this.#read;
    assert(entries !== null, 'the journal is read once, before it is written');
    this.#read = null;
    return entries;
  }

  async append(entries: readonly JournalEntry[]): Promise<void> {
    if (entries.length > 0) await this.#write(entries.map(encodeLine).join(''));
  }

  async rewrite(entries: readonly JournalEntry[]): Promise<void> {
    const temporary = `${this.#path}.new`;
    const text = [header, ...entries].map(encodeLine).join('');
    await rm(temporary, { force: true });
    const file = await open(temporary, 'ax', 0o600);
    try {
      await file.appendFile(text);
      await file.datasync();
      await rename(temporary, this.#path);
    } catch (error) {
      await file.close();
      throw error;
    }
    const old = this.#file;
    this.#file = file;
    this.#goodBytes = Buffer.byteLength(text);
    await old.close();
    await syncFolder(this.#path);
  }

  sizeBytes(): number {
    return this.#goodBytes;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** Cuts off first what a failed write may have left, so that a torn line never stands in the middle. */
  async #write(text: string): Promise<void> {
    await this.#file.truncate(this.#goodBytes);
    await this.#file.appendFile(text);
    await this.#file.datasync();
    this.#goodBytes += Buffer.byteLength(text);
  }
}

function encodeLine(value: object): string {
  const json = JSON.stringify(value);
  assert(json.length <= limits.journalLineBytesMax, `a journal entry of ${json.length} characters is too long`);
  return `${checksum(json)} ${json}\n`;
}

const checksum = (text: string): string => crc32(text).toString(16).padStart(8, '0');

/** Entries of the file's text, and how many bytes of it are good. Throws `JournalDamaged`. */
function parseJournal(path: string, bytes: Buffer): { readonly entries: readonly JournalEntry[]; readonly goodBytes: number } {
  const goodBytes = bytes.lastIndexOf('\n') + 1;
  if (goodBytes === 0) return { entries: [], goodBytes };
  const [first = '', ...lines] = bytes.toString('utf8', 0, goodBytes - 1).split('\n');
  if (JSON.stringify(parseLine(path, first, 1)) !== JSON.stringify(header)) {
    throw new JournalDamaged(path, 'it is not a journal of this version');
  }
  const entries = lines.map((line, at) => {
    const entry = parseLine(path, line, at + 2);
    if (!isJournalEntry(entry)) throw new JournalDamaged(path, `line ${at + 2} is of no known kind`);
    return entry;
  });
  return { entries, goodBytes };
}

function parseLine(path: string, line: string, number: number): unknown {
  const json = line.slice(9);
  if (line[8] !== ' ' || checksum(json) !== line.slice(0, 8)) throw new JournalDamaged(path, `line ${number} does not have its checksum`);
  return JSON.parse(json);
}

/** The checksum and the version in the header say that this program wrote the line; its kind is all that is left to see. */
function isJournalEntry(value: unknown): value is JournalEntry {
  return (
    typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string' && journalKinds.includes(value.kind)
  );
}

async function readOrEmpty(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}

/** A new name in a folder is durable only when the folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
