import { isIP, SocketAddress } from 'node:net';
import { PkiError } from './pkiError.ts';

/** A name by which clients reach the server, as it stands in the certificate. */
export interface ServerName {
  readonly type: 'dns' | 'ip';
  readonly value: string;
}

/** A label may start with `*` alone, as the leftmost one. */
const dnsName = /^(\*\.)?[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
const always = ['localhost', '127.0.0.1', '::1'];

/** In one spelling, without repeats, sorted: two lists that mean the same give the same names. Always with loopback. */
export function serverNames(names: readonly string[]): readonly ServerName[] {
  const parsed = [...always, ...names].map(parseServerName);
  const byKey = new Map(parsed.map((name) => [serverNameKey(name), name]));
  return [...byKey.values()].toSorted((left, right) => (serverNameKey(left) < serverNameKey(right) ? -1 : 1));
}

export function serverNameKey(name: ServerName): string {
  return `${name.type}:${name.value}`;
}

function parseServerName(text: string): ServerName {
  const bare = text.trim().toLowerCase().replace(/\.$/, '');
  const family = isIP(bare);
  if (family !== 0) return { type: 'ip', value: new SocketAddress({ address: bare, family: family === 4 ? 'ipv4' : 'ipv6' }).address };
  if (bare.length > 253 || !dnsName.test(bare)) {
    throw new PkiError('names', `"${text}" is neither a DNS name nor an IP address (no scheme, no port)`);
  }
  return { type: 'dns', value: bare };
}
