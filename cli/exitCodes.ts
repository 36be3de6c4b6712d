/**
 * What `shoal` tells the shell, in one place. A script may branch on these numbers, so that a number never changes its meaning.
 * `agent join|run` and `sim` give the code of the program that they start instead.
 */
export const exitCodes = {
  ok: 0,
  error: 1,
  usage: 2,
  notFound: 3,
  notAllowed: 4,
  conflict: 5,
  jobFailed: 6,
  cannotPlace: 7,
  timedOut: 124,
  interrupted: 130,
} as const;

/** As `shoal help exit-codes` prints them, in numeric order. */
export const exitCodeMeanings: readonly (readonly [code: number, meaning: string])[] = [
  [exitCodes.ok, 'success; also when there was nothing to show'],
  [exitCodes.error, 'error: refused by the server, not reachable, or a file cannot be read'],
  [exitCodes.usage, 'wrong usage: an unknown command or flag, a missing or malformed argument'],
  [exitCodes.notFound, 'the named object does not exist'],
  [exitCodes.notAllowed, 'not allowed, or not logged in'],
  [exitCodes.conflict, 'conflict: the object is in a state that does not allow it'],
  [exitCodes.jobFailed, 'the job failed (run, wait)'],
  [exitCodes.cannotPlace, 'the job cannot be placed now (plan, apply --dry-run=server)'],
  [exitCodes.timedOut, 'timed out (wait, delete, drain, a request)'],
  [exitCodes.interrupted, 'interrupted by Ctrl-C'],
];
