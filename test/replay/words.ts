/** A command of a script: `verb name word… key=value…`. A key that nobody asked for is an error, so that a typing mistake is none. */
export class Words {
  readonly verb: string;
  /** Empty: none was given. */
  readonly name: string;
  readonly rest: readonly string[];
  readonly #values: ReadonlyMap<string, string>;
  readonly #asked = new Set<string>();

  constructor(line: string) {
    const words = line.split(/\s+/);
    const plain = words.filter((word) => !word.includes('='));
    this.verb = plain[0] ?? '';
    this.name = plain[1] ?? '';
    this.rest = plain.slice(2);
    this.#values = new Map(
      words.filter((word) => word.includes('=')).map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]),
    );
  }

  has(key: string): boolean {
    this.#asked.add(key);
    return this.#values.has(key);
  }

  text(key: string, otherwise: string): string {
    this.#asked.add(key);
    return this.#values.get(key) ?? otherwise;
  }

  number(key: string, otherwise: number): number {
    const value = Number(this.text(key, String(otherwise)));
    if (!Number.isFinite(value)) throw new Error(`${key}: not a number`);
    return value;
  }

  /** Throws when a key was given that no command looked at. */
  assertAllAsked(): void {
    const unknown = [...this.#values.keys()].filter((key) => !this.#asked.has(key));
    if (unknown.length > 0) throw new Error(`"${this.verb}" knows no ${unknown.join(', ')}`);
  }
}
