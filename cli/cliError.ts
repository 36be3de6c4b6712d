/** The CLI's one error: a line for stderr, the lines that help (`Did you mean …?`, the next command), and the exit code. */
export class CliError extends Error {
  readonly exitCode: number;
  readonly hints: readonly string[];

  constructor(exitCode: number, message: string, hints: readonly string[] = []) {
    super(message);
    this.name = 'CliError';
    this.exitCode = exitCode;
    this.hints = hints;
  }
}
