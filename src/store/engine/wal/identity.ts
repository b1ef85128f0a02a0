/** Finds out the identity of a log whose owner has lost it: each sound frame tells it, for a CRC can be run backwards. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { ALIGN_BYTES, HEADER_BYTES, MAGIC, MAX_BODY_BYTES, WAL_VERSION } from './frame.ts';
import { MAX_SEGMENT_BYTES } from './recovery.ts';
import { segmentNumber } from './segment.ts';

/** Frames that have told the same are enough. */
const ENOUGH = 8;

/** By the top byte of an entry of the CRC's table: the entry, and its index. A CRC with an initial value tells the table without a copy of it. */
const ENTRIES = new Uint32Array(256);
const INDEXES = new Uint8Array(256);
for (let index = 0; index < 256; index++) {
  const entry = ~crc32(Buffer.of(index), 0xffff_ffff) >>> 0; // the register is 0 before the byte
  ENTRIES[entry >>> 24] = entry;
  INDEXES[entry >>> 24] = index;
}

/** The value from which a CRC-32 of zlib was started, if it came out as `sum` behind these bytes. */
export function crc32Start(bytes: Uint8Array, sum: number): number {
  let register = ~sum >>> 0;
  for (let at = bytes.length - 1; at >= 0; at--) {
    const top = register >>> 24;
    register = (((register ^ (ENTRIES[top] as number)) << 8) | ((INDEXES[top] as number) ^ (bytes[at] as number))) >>> 0;
  }
  return ~register >>> 0;
}

/** The identity that most frames in a folder's segments have, if more than one has it. A damaged frame tells another one each. */
export function findIdentity(dir: string): number | undefined {
  const votes = new Map<number, number>();
  for (const name of readdirSync(dir).filter((file) => segmentNumber(file) !== undefined)) {
    const status = statSync(join(dir, name));
    if (!status.isFile() || status.size > MAX_SEGMENT_BYTES) continue;
    for (const identity of identitiesIn(readFileSync(join(dir, name)))) {
      const count = (votes.get(identity) ?? 0) + 1;
      if (count >= ENOUGH) return identity;
      votes.set(identity, count);
    }
  }
  const [winner] = [...votes].sort(([, a], [, b]) => b - a);
  return winner && winner[1] > 1 ? winner[0] : undefined;
}

function* identitiesIn(file: Buffer): Generator<number, void, undefined> {
  for (let at = 0; at + HEADER_BYTES <= file.length; at += ALIGN_BYTES) {
    if (file.readUInt32LE(at) !== MAGIC || file.readUInt8(at + 12) !== WAL_VERSION) continue;
    const end = at + HEADER_BYTES + file.readUInt32LE(at + 4);
    if (end > file.length || end - at > HEADER_BYTES + MAX_BODY_BYTES) continue;
    const afterBody = crc32Start(file.subarray(at + 12, at + HEADER_BYTES), file.readUInt32LE(at + 8));
    yield crc32Start(file.subarray(at + HEADER_BYTES, end), afterBody);
    at = end - (end % ALIGN_BYTES) - ALIGN_BYTES; // goes on behind the frame, or a little before its end
  }
}
