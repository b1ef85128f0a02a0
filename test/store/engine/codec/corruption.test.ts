/** Damaged blobs: an error or the same data, never other data, never a hang. */
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type BlockColumns, decodeBlock, encodeBlock } from '../../../../src/store/engine/codec/block.ts';
import { CorruptBlockError } from '../../../../src/store/engine/codec/corrupt-block-error.ts';
import { decodeTimes, encodeTimes } from '../../../../src/store/engine/codec/times.ts';
import { difference } from './fuzz-blocks.ts';
import { mixedNumbers, mixedStatuses, mixedTimes, Random, SIGNALS } from './generators.ts';

const CRC_BYTES = 4;

/** Blocks of every type and mode. */
function originals(random: Random): BlockColumns[] {
  const columns: BlockColumns[] = [];
  for (const maker of Object.values(SIGNALS)) {
    const count = 1 + random.below(700);
    columns.push({ valueType: 'f64', numbers: mixedNumbers(random, maker(random), count), status: mixedStatuses(random, count) });
  }
  for (let i = 0; i < 8; i++) {
    const count = 1 + random.below(300);
    const status = mixedStatuses(random, count);
    const spread = random.pick([10, 2 ** 31]);
    const integers = BigInt64Array.from({ length: count }, () => BigInt(random.below(spread)) * (random.unit() < 0.5 ? 1n : -(2n ** 31n)));
    columns.push({ valueType: 'i64', integers, missing: Uint8Array.from(integers, () => random.below(2)), status });
    const texts = Array.from({ length: count }, () => random.pick(['on', 'off', undefined, 'Störung', '\ud800', `${random.below(9)}`]));
    columns.push({ valueType: 'string', texts, status });
  }
  return columns;
}

/** One to three bytes changed, the end cut off, or bytes added. */
function damage(random: Random, blob: Uint8Array): Uint8Array {
  const kind = random.below(4);
  if (kind === 0) return blob.slice(0, random.below(blob.length));
  if (kind === 1) return Uint8Array.from([...blob, ...Array.from({ length: 1 + random.below(5) }, () => random.below(256))]);
  const damaged = blob.slice();
  for (let left = 1 + random.below(3); left > 0; left--) {
    const at = random.below(blob.length);
    damaged[at] = random.unit() < 0.5 ? (damaged[at] as number) ^ (1 << random.below(8)) : random.below(256);
  }
  return damaged;
}

function withChecksum(blob: Uint8Array): Uint8Array {
  const repaired = blob.slice();
  if (repaired.length < CRC_BYTES) return repaired;
  const end = repaired.length - CRC_BYTES;
  new DataView(repaired.buffer).setUint32(end, crc32(repaired.subarray(0, end)), true);
  return repaired;
}

/** The result of `decode`, or undefined when it says that the blob is corrupt; any other error is a failure. */
function attempt<Result>(decode: () => Result): Result | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof CorruptBlockError) return undefined;
    throw error;
  }
}

describe('a damaged block', () => {
  it('is an error or the same data', () => {
    const random = new Random(21);
    let refused = 0;
    for (const columns of originals(random)) {
      const blob = encodeBlock(columns);
      for (let i = 0; i < 100; i++) {
        const decoded = attempt(() => decodeBlock(damage(random, blob)));
        if (decoded) expect(difference(columns, decoded)).toBeUndefined();
        else refused++;
      }
    }
    expect(refused).toBeGreaterThan(3000);
  });

  it('is refused in every prefix and with every byte flipped', () => {
    const numbers = Float64Array.from({ length: 200 }, (_, i) => Math.round(200 + 10 * Math.sin(i)) / 10);
    const blob = encodeBlock({ valueType: 'f64', numbers, status: new Uint32Array(200) });
    for (let end = 0; end < blob.length; end++) expect(() => decodeBlock(blob.subarray(0, end))).toThrow(CorruptBlockError);
    for (let at = 0; at < blob.length; at++)
      expect(() => decodeBlock(blob.map((byte, i) => (i === at ? byte ^ 255 : byte)))).toThrow(CorruptBlockError);
  });

  it('that a forger gave a right checksum is an error or as many samples, in bounded time and memory', () => {
    const random = new Random(22);
    let survived = 0;
    for (const columns of originals(random)) {
      const blob = encodeBlock(columns);
      for (let i = 0; i < 60; i++) {
        const forged = withChecksum(damage(random, blob));
        const before = process.cpuUsage();
        const decoded = attempt(() => decodeBlock(forged));
        const { user } = process.cpuUsage(before);
        // 2^20 samples can be claimed by a few bytes; nothing may take longer than that many.
        expect(user).toBeLessThan(2_000_000);
        if (!decoded) continue;
        survived++;
        const values = 'numbers' in decoded ? decoded.numbers : 'integers' in decoded ? decoded.integers : decoded.texts;
        expect(values.length).toBe(decoded.status.length);
      }
    }
    expect(survived).toBeGreaterThan(40);
  });
});

describe('damaged times', () => {
  it('are an error or the same times; with a forged checksum as many', () => {
    const random = new Random(23);
    for (let block = 0; block < 60; block++) {
      const times = mixedTimes(random, 1 + random.below(500));
      const blob = encodeTimes(times);
      for (let i = 0; i < 60; i++) {
        const damaged = damage(random, blob);
        const decoded = attempt(() => decodeTimes(damaged, times.length));
        if (decoded) expect(decoded).toEqual(times);
        const forged = attempt(() => decodeTimes(withChecksum(damaged), times.length));
        if (forged) expect(forged.length).toBe(times.length);
      }
    }
  });
});
