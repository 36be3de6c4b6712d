/** Parts of wire messages → values of the vocabulary, strictly: what does not fit is INVALID_ARGUMENT and names the field. */
import { RpcError } from '#rpc/rpcError.ts';
import { excerpt } from './fieldProblem.ts';

export function refuseField(field: string, message: string): never {
  throw new RpcError('INVALID_ARGUMENT', `${field}: ${message}`);
}

/** A message field or an optional scalar that must be there. */
export function required<T>(value: T | undefined, field: string): T {
  return value === undefined ? refuseField(field, 'required, but not given') : value;
}

/** A 64-bit integer that a double holds exactly. */
export function safeInteger(value: bigint, field: string): number {
  const number = Number(value);
  return Number.isSafeInteger(number)
    ? number
    : refuseField(field, `${value} is out of range; allowed: at most ${Number.MAX_SAFE_INTEGER}`);
}

export function optionalSafeInteger(value: bigint | undefined, field: string): number | null {
  return value === undefined ? null : safeInteger(value, field);
}

/** One of the words that the vocabulary knows. */
export function oneOf<const T extends string>(value: string, allowed: readonly T[], field: string): T {
  return allowed.find((one) => one === value) ?? refuseField(field, `${excerpt(value)} is not known; allowed: ${allowed.join(', ')}`);
}

export function matching(value: string, pattern: RegExp, field: string): string {
  return pattern.test(value) ? value : refuseField(field, `${excerpt(value)} is not allowed; allowed: ${pattern.source}`);
}

/** proto3's zero of a field without presence ↔ null. */
export const zeroAsNull = (value: number): number | null => (value === 0 ? null : value);
