import { crc32 } from 'node:zlib';

/**
 * SQLite does not check the content of its pages, so each row carries a CRC-32 of all that it says. The revision is inside:
 * a row that moved to another place fails as well as one that changed.
 */
export function lineChecksum(line: { readonly revision: number; readonly epoch: number; readonly text: string }): number {
  return crc32(line.text, crc32(`line ${line.revision} ${line.epoch} `));
}

export function headChecksum(head: { readonly revision: number; readonly epoch: number }): number {
  return crc32(`head ${head.revision} ${head.epoch}`);
}

export function snapshotChecksum(snapshot: { readonly revision: number; readonly body: string }): number {
  return crc32(snapshot.body, crc32(`snapshot ${snapshot.revision} `));
}
