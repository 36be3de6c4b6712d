/** Closes a `switch` over a union: a new member is then a type error where it is forgotten. */
export function assertNever(value: never): never {
  throw new Error(`a case was forgotten: ${JSON.stringify(value)}`);
}

/** States what must hold; `why` says what would be broken. Not for input: that is refused with a reason. */
export function assert(condition: boolean, why: string): asserts condition {
  if (!condition) throw new Error(`promise broken: ${why}`);
}
