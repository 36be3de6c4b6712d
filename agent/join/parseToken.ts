/** `shoal-join.<id>.<secret>.<SHA-256 of the cluster CA's certificate, hex>`. */
export interface JoinToken {
  readonly text: string;
  readonly caSha256: string;
}

/** Undefined: it is no join token. The text itself is secret and stands in no message. */
export function parseToken(text: string): JoinToken | undefined {
  const match = /^shoal-join\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.([0-9a-fA-F]{64})$/.exec(text.trim());
  const caSha256 = match?.[1]?.toLowerCase();
  return caSha256 === undefined ? undefined : { text: text.trim(), caSha256 };
}
