/**
 * How many cases a property, or how many seeds a simulation, is tried with: so many as the test says, or SHOAL_CASES for the
 * long run (`npm run properties`). A case that fails is printed with its seed and path.
 */
export function cases(usual: number): number {
  const asked = Number(process.env['SHOAL_CASES'] ?? '');
  return Number.isInteger(asked) && asked > usual ? asked : usual;
}

/** How long a test may take, in milliseconds, where the usual time is too short for it; in the long run, hours. */
export function longest(usualMs: number): number {
  return process.env['SHOAL_CASES'] === undefined ? usualMs : longRunMs;
}

const longRunMs = 4 * 3_600_000;
