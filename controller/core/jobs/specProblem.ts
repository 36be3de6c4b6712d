/** What is wrong with a spec, by the user's own path. */
export interface SpecProblem {
  readonly field: string;
  readonly message: string;
}
