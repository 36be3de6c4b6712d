import { InputError } from '../../inputError.ts';

/** About 34 years; no sum of such times leaves what the replay can count. */
const secondsMax = 2 ** 30;

/** The rows of CSV with a header row and without quotes; empty lines are passed over. Throws InputError, also when a needed column is missing. */
export function readRows(text: string, file: string, needed: readonly string[]): readonly Row[] {
  const [header = '', ...lines] = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const columns = header.split(',').map((name) => name.trim());
  for (const name of needed)
    if (!columns.includes(name))
      throw new InputError(`${file}:1: no column "${name}"; the columns are ${columns.join(', ')}; needed are ${needed.join(', ')}`);
  return lines.flatMap((line, index) => (line === '' ? [] : new Row(line, index + 2, columns, file)));
}

export class Row {
  readonly line: number;
  readonly #file: string;
  readonly #columns: readonly string[];
  readonly #fields: readonly string[];

  constructor(text: string, line: number, columns: readonly string[], file: string) {
    this.line = line;
    this.#file = file;
    this.#columns = columns;
    this.#fields = text.split(',');
    if (this.#fields.length === columns.length) return;
    throw new InputError(`${file}:${line}: ${this.#fields.length} fields where the header has ${columns.length}`);
  }

  text(column: string): string {
    return this.#fields[this.#columns.indexOf(column)]?.trim() ?? '';
  }

  whole(column: string): number {
    const text = this.text(column);
    const value = Number(text);
    if (/^\d+$/.test(text) && value <= secondsMax) return value;
    throw this.wrong(column, `must be a whole number from 0 to ${secondsMax}`);
  }

  wholeOr(column: string, absent: number): number {
    return this.text(column) === '' ? absent : this.whole(column);
  }

  wrong(column: string, why: string): InputError {
    return new InputError(`${this.#file}:${this.line}: ${column} "${this.text(column)}": ${why}`);
  }
}
