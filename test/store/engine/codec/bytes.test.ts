/** Varints, signed integers and literals, and readers at the end of their bytes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '../../../../src/store/engine/codec/bytes.ts';
import { CorruptBlockError } from '../../../../src/store/engine/codec/corrupt-block-error.ts';

describe('bytes', () => {
  it('bring integers and doubles back as they were', () => {
    const limit = 2 ** 53;
    fc.assert(
      fc.property(
        fc.maxSafeNat(),
        fc.maxSafeInteger(),
        fc.double(),
        fc.integer({ min: -100, max: 100 }),
        (natural, integer, double, small) => {
          const writer = new ByteWriter(1);
          writer.varint(natural);
          writer.signed(integer);
          for (const literal of [double, small, -0, limit, -limit]) writer.literal(literal);
          const reader = new ByteReader(writer.written());
          expect([reader.varint(), reader.signed(), reader.literal(), reader.literal()]).toStrictEqual([natural, integer, double, small]);
          expect([reader.literal(), reader.literal(), reader.literal()]).toStrictEqual([-0, limit, -limit]);
          reader.end();
        },
      ),
    );
  });

  it('are few for small numbers', () => {
    const writer = new ByteWriter();
    writer.literal(-31);
    writer.signed(63);
    writer.varint(127);
    expect(writer.length).toBe(3);
  });

  it('refuse to be read beyond their end, and varints that are too long or too large', () => {
    expect(() => new ByteReader(Uint8Array.of(128)).varint()).toThrow(CorruptBlockError);
    expect(() => new ByteReader(new Uint8Array(20).fill(255)).varint()).toThrow(CorruptBlockError);
    expect(() => new ByteReader(Uint8Array.of(11)).varint(10)).toThrow(CorruptBlockError);
    expect(() => new ByteReader(new Uint8Array(7)).f64()).toThrow(CorruptBlockError);
    expect(() => new ByteReader(new Uint8Array(7)).take(8)).toThrow(CorruptBlockError);
    expect(() => new ByteReader(new Uint8Array(1)).end()).toThrow(CorruptBlockError);
  });
});
