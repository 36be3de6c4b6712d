/** What a person gave is wrong: the message names the file, the line, the field, the value and what is allowed. */
export class InputError extends Error {
  override readonly name = 'InputError';
}
