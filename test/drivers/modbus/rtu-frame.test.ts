/** Answers in a stream of bytes: found whole, behind noise, and never where there is none. */
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc16, withCrc } from '../../../src/drivers/modbus/crc.ts';
import { findAnswer } from '../../../src/drivers/modbus/rtu-frame.ts';

const UNIT = 17;
/** It has no types. */
const crcOfLibrary: (bytes: Buffer) => number = createRequire(import.meta.url)('modbus-serial/utils/crc16');

/** A request and the right answer to it. */
const exchange = fc
  .record({
    code: fc.constantFrom(1, 2, 3, 4, 5, 6, 15, 16, 22),
    start: fc.nat(0xffff),
    count: fc.integer({ min: 1, max: 125 }),
    fill: fc.nat(255),
  })
  .map(({ code, start, count, fill }) => {
    const body = Buffer.alloc(code === 22 ? 8 : 6);
    body.set([UNIT, code]);
    body.writeUInt16BE(start, 2);
    body.writeUInt16BE(count, 4);
    const bytes = code <= 2 ? Math.ceil(count / 8) : count * 2;
    const answer = code <= 4 ? Buffer.concat([Buffer.from([UNIT, code, bytes]), Buffer.alloc(bytes, fill)]) : body;
    const request = code === 15 || code === 16 ? Buffer.concat([body, Buffer.from([bytes]), Buffer.alloc(bytes, fill)]) : body;
    return { request: withCrc(request), answer: withCrc(answer), code };
  });
/** Bytes in which no answer of the unit can begin. */
const noise = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes.map((byte) => (byte === UNIT ? 0 : byte))));

describe('the checksum', () => {
  it("is the library's, and that of the specification's example", () => {
    expect(crc16(Buffer.from([0x02, 0x07]))).toBe(0x1241); // MODBUS over Serial Line V1.02, appendix B
    fc.assert(fc.property(fc.uint8Array({ maxLength: 260 }), (bytes) => crc16(bytes) === crcOfLibrary(Buffer.from(bytes))));
  });
});

describe('findAnswer', () => {
  it('finds the right answer behind noise and before noise', () => {
    fc.assert(
      fc.property(exchange, noise, noise, ({ request, answer }, before, after) => {
        expect(findAnswer(Buffer.concat([before, answer, after]), request)).toEqual(answer);
      }),
    );
  });

  it('never takes a read that the adapter echoes for the answer to it', () => {
    const request = withCrc(Buffer.from([UNIT, 1, 3, 0x11, 0, 24])); // also an answer with three bytes of coils
    const answer = withCrc(Buffer.from([UNIT, 1, 3, 0xff, 0x0f, 0xf0]));
    expect(findAnswer(request, request)).toBeUndefined();
    expect(findAnswer(Buffer.concat([request, answer]), request)).toEqual(answer);
    const write = withCrc(Buffer.from([UNIT, 6, 0, 1, 0, 2]));
    expect(findAnswer(write, write)).toEqual(write);
  });

  it('finds the exception to the request', () => {
    fc.assert(
      fc.property(exchange, noise, fc.nat(255), ({ request, code }, before, exception) => {
        const answer = withCrc(Buffer.from([UNIT, code | 0x80, exception]));
        expect(findAnswer(Buffer.concat([before, answer]), request)).toEqual(answer);
      }),
    );
  });

  it('finds nothing in a part of the answer, nor in one with a flipped bit', () => {
    fc.assert(
      fc.property(exchange, fc.nat(), fc.nat(7), ({ request, answer }, at, bit) => {
        expect(findAnswer(answer.subarray(0, at % answer.length), request)).toBeUndefined();
        const flipped = Buffer.from(answer);
        flipped[at % answer.length] = (flipped[at % answer.length] ?? 0) ^ (1 << bit);
        expect(findAnswer(flipped, request)).toBeUndefined();
      }),
    );
  });

  it('finds, in whatever comes, only frames of the unit with a right checksum', () => {
    fc.assert(
      fc.property(exchange, fc.uint8Array({ maxLength: 600 }), ({ request, code }, bytes) => {
        const found = findAnswer(Buffer.from(bytes), request);
        if (found) expect([found[0], (found[1] ?? 0) & 0x7f, crc16(found)]).toEqual([UNIT, code, 0]);
      }),
    );
  });
});
