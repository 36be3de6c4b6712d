/**
 * How many cases a property, or how many seeds a simulation, is tried with: so many as the test says, or SHOAL_CASES for the
 * long run (`npm run properties`). A case that fails is printed with its seed and path.
 */
export function cases(usual: number): number {
  const asked = Number(process.env['SHOAL_CASES'] ?? '');
  return Number.isInteger(asked) && asked > usual ? asked : usual;
}
