/**
 * pip itself, for machines whose Python came without it (Debian's python3 has neither pip nor ensurepip). A wheel is a zip
 * file, and Python runs the pip that lies in one.
 */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const fileName = 'pip-26.0-py3-none-any.whl';
/** As PyPI lists it; what else the index answers is not used. */
const sha256 = '98436feffb9e31bc9339cf369fd55d3331b1580b6a6f1173bacacddcf9c34754';
const defaultIndex = 'https://pypi.org/simple';
const patienceMs = 60_000;

/** Puts the wheel into the folder and answers what Python is to be given as its program. Throws when it cannot be had. */
export async function fetchPip(folder: string): Promise<string> {
  const index = (process.env['PIP_INDEX_URL'] ?? defaultIndex).replace(/\/$/, '');
  const page = `${index}/pip/`;
  const listing = await (await get(page)).text();
  const url = findLink(listing, page);
  if (url === undefined) throw new Error(`${page} does not list ${fileName}`);
  const wheel = Buffer.from(await (await get(url)).arrayBuffer());
  const found = createHash('sha256').update(wheel).digest('hex');
  if (found !== sha256) throw new Error(`${url} has the SHA-256 ${found}, not ${sha256}`);
  const path = join(folder, fileName);
  await writeFile(path, wheel);
  return join(path, 'pip');
}

/** Links of a "simple" index (PEP 503) are attributes of anchors and may be relative. */
export function findLink(listing: string, page: string): string | undefined {
  for (const [, href] of listing.matchAll(/href="([^"]+)"/g)) {
    const url = URL.parse((href ?? '').replaceAll('&amp;', '&'), page);
    if (url?.pathname.endsWith(`/${fileName}`)) return url.href;
  }
  return undefined;
}

async function get(url: string): Promise<Response> {
  try {
    const response = await fetch(url, { headers: { accept: 'text/html' }, signal: AbortSignal.timeout(patienceMs) });
    if (response.ok) return response;
    throw new Error(`${response.status} ${response.statusText}`);
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new Error(`${url}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause: error });
  }
}
