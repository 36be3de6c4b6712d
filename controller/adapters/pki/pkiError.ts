/** files: what is on disk is missing, unreadable or does not fit together · names: a server name that is none · request: a refused CSR. */
export type PkiErrorCode = 'files' | 'names' | 'request';

export class PkiError extends Error {
  readonly code: PkiErrorCode;

  constructor(code: PkiErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'PkiError';
    this.code = code;
  }
}

/** For files that somebody has to look at: nothing is repaired here. */
export function pkiFilesError(what: string, wayOn: string, cause?: unknown): PkiError {
  return new PkiError('files', `${what}. Nothing was changed. ${wayOn}`, cause);
}
