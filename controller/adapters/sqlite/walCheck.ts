/**
 * Looks for damage inside a write-ahead log that SQLite would take for its end.
 *
 * After a crash SQLite replays the log up to the first frame whose checksum fails and silently forgets the rest. That is right
 * for a commit that was being written when the power failed, and wrong for a byte that changed later: acknowledged commits
 * would vanish. The two can be told apart, because with synchronous FULL a commit's frames are on the disk before the next
 * commit's first frame is written: a broken frame with frames of a LATER commit behind it is damage, not a torn write.
 *
 * A frame's checksum starts from the one stored in the frame before it, so frames behind the broken one can still be checked.
 * Limits: damage in the very last commit looks like a torn write, and so does a log cut short; both are taken as such. So is
 * damage that takes away exactly the end mark of the last commit but one.
 * Call it only while nobody writes. Format: https://sqlite.org/fileformat2.html#walformat
 */
const headerBytes = 32;
const frameHeaderBytes = 24;
const magicLittle = 0x377f0682;
const magicBig = 0x377f0683;

interface Sum {
  readonly a: number;
  readonly b: number;
}

interface Wal {
  readonly view: DataView;
  readonly frameBytes: number;
  readonly frames: number;
  readonly littleEndian: boolean;
  readonly salt: Sum;
}

/** Null when the log is whole or ends in a torn commit; else what is wrong, for a message. */
export function findWalDamage(bytes: Uint8Array): string | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.byteLength < headerBytes + frameHeaderBytes) return null;
  const magic = view.getUint32(0);
  const littleEndian = magic !== magicBig;
  const stored = sumAt(view, 24);
  const headerHolds =
    (magic === magicLittle || magic === magicBig) && same(stored, extend({ a: 0, b: 0 }, view, { from: 0, bytes: 24, littleEndian }));
  if (!headerHolds) return sharesSalt(view) ? 'the header of its write-ahead log changed' : null;
  const frameBytes = frameHeaderBytes + view.getUint32(8);
  const frames = Math.floor((view.byteLength - headerBytes) / frameBytes);
  return findBrokenFrame({ view, frameBytes, frames, littleEndian, salt: sumAt(view, 16) }, stored);
}

/** A header that fails but belongs to the frames behind it was whole once: new salts are written before new frames. */
function sharesSalt(view: DataView): boolean {
  const header = sumAt(view, 16);
  const frame = sumAt(view, headerBytes + 8);
  if (frame.a === 0 && frame.b === 0) return false;
  return header.a === frame.a || header.b === frame.b;
}

function findBrokenFrame(wal: Wal, start: Sum): string | null {
  let before = start;
  for (let index = 0; index < wal.frames; index += 1) {
    if (!stands(wal, index, before)) {
      return laterCommitStands(wal, index) ? `frame ${index + 1} of its write-ahead log changed, and later commits follow it` : null;
    }
    before = storedSum(wal, index);
  }
  return null;
}

function laterCommitStands(wal: Wal, broken: number): boolean {
  // A frame of an older round, left where a torn write did not arrive, carries other salts and says nothing about this one.
  // Half of the salt will do: the other half may be what changed, and an older round shares neither.
  const salt = sumAt(wal.view, frameAt(wal, broken) + 8);
  let ended = (salt.a === wal.salt.a || salt.b === wal.salt.b) && isCommit(wal, broken);
  for (let index = broken + 1; index < wal.frames; index += 1) {
    if (!stands(wal, index, storedSum(wal, index - 1))) continue;
    if (ended) return true;
    ended = isCommit(wal, index);
  }
  return false;
}

function stands(wal: Wal, index: number, before: Sum): boolean {
  if (!isOfThisRound(wal, index)) return false;
  const at = frameAt(wal, index);
  const { view, littleEndian } = wal;
  const head = extend(before, view, { from: at, bytes: 8, littleEndian });
  const whole = extend(head, view, { from: at + frameHeaderBytes, bytes: wal.frameBytes - frameHeaderBytes, littleEndian });
  return same(whole, storedSum(wal, index));
}

function isOfThisRound(wal: Wal, index: number): boolean {
  return same(sumAt(wal.view, frameAt(wal, index) + 8), wal.salt);
}

function isCommit(wal: Wal, index: number): boolean {
  return wal.view.getUint32(frameAt(wal, index) + 4) !== 0;
}

function storedSum(wal: Wal, index: number): Sum {
  return sumAt(wal.view, frameAt(wal, index) + 16);
}

function frameAt(wal: Wal, index: number): number {
  return headerBytes + index * wal.frameBytes;
}

function sumAt(view: DataView, at: number): Sum {
  return { a: view.getUint32(at), b: view.getUint32(at + 4) };
}

function same(left: Sum, right: Sum): boolean {
  return left.a === right.a && left.b === right.b;
}

function extend(sum: Sum, view: DataView, part: { readonly from: number; readonly bytes: number; readonly littleEndian: boolean }): Sum {
  let { a, b } = sum;
  for (let at = part.from; at < part.from + part.bytes; at += 8) {
    a = (a + view.getUint32(at, part.littleEndian) + b) >>> 0;
    b = (b + view.getUint32(at + 4, part.littleEndian) + a) >>> 0;
  }
  return { a, b };
}
