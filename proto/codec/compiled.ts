import type { FieldProblem } from './fieldProblem.ts';

/** A manifest checked across its fields, every default filled in. */
export interface Compiled<Name, Spec> {
  readonly name: Name;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: Spec;
  /** What was taken but has no effect in this version, one sentence each. */
  readonly warnings: readonly string[];
}

export type CompileResult<Name, Spec> =
  | ({ readonly ok: true } & Compiled<Name, Spec>)
  | { readonly ok: false; readonly problems: readonly FieldProblem[] };
