/** The body of a frame: what is written comes back to the bit, within the room that was promised, and no bytes bring the decoder down. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ring, textSlots } from '../../../../src/core/ring.ts';
import type { Sequence } from '../../../../src/core/tag.ts';
import { BodyDecoder, BodyError } from '../../../../src/store/engine/wal/body-decoder.ts';
import { BodyEncoder, MAX_RECORD_BYTES } from '../../../../src/store/engine/wal/body-encoder.ts';
import { MAX_SLOT_BYTES } from '../../../../src/store/engine/wal/body-format.ts';
import { anyRecord } from './records.ts';
import { collector, pushInto, type Shown } from './shown.ts';

const ROOM = 1 << 21;
const out = Buffer.alloc(ROOM);
const encoder = new BodyEncoder(out);
const decoder = new BodyDecoder();

function decoded(body: Buffer): Shown[] {
  const shown: Shown[] = [];
  decoder.decode(body, collector(shown));
  return shown;
}

/** Pushes as many as fit and encodes them in pieces of so many slots, freezing between the pieces. */
function encoded(records: readonly Shown[], piece: number, start: number): { readonly body: Buffer; readonly pushed: readonly Shown[] } {
  const ring = new Ring(4096);
  ring.startAt(start as Sequence);
  const pushed = records.filter((record) => pushInto(ring, record));
  ring.publish();
  encoder.restart(0);
  let at = start as Sequence;
  while (at < ring.head) {
    const before = encoder.end;
    const next = encoder.encode(ring, at, ring.head, piece);
    expect(encoder.end - before).toBeLessThanOrEqual(Math.min(next - at, piece) * MAX_SLOT_BYTES + MAX_RECORD_BYTES);
    expect(encoder.end - before).toBeLessThanOrEqual((next - at) * MAX_SLOT_BYTES);
    encoder.freeze();
    at = next;
  }
  return { body: Buffer.from(out.subarray(0, encoder.end)), pushed };
}

describe('a body', () => {
  it('gives back all records in their order and to the bit, whatever pieces it was written in', () => {
    const anyStart = fc.constantFrom(0, 4000, 2 ** 32 - 5, 2 ** 52 + 4095);
    fc.assert(
      fc.property(fc.array(anyRecord, { maxLength: 120 }), fc.integer({ min: 1, max: 40 }), anyStart, (records, piece, start) => {
        const { body, pushed } = encoded(records, piece, start);
        expect(decoded(body)).toEqual(pushed);
      }),
      { numRuns: 1_000 },
    );
  });

  it('can be written record by record too, and each stands for itself after another', () => {
    fc.assert(
      fc.property(fc.array(anyRecord, { maxLength: 40 }), (records) => {
        const { pushed } = encoded(records, 1_000, 0);
        const ring = new Ring(4096);
        for (const record of pushed) pushInto(ring, record);
        encoder.restart(0);
        ring.visit(0 as Sequence, ring.head, encoder);
        expect(decoded(out.subarray(0, encoder.end))).toEqual(pushed);
      }),
      { numRuns: 200 },
    );
  });

  it('takes three bytes or fewer for a plain decimal of a poll, and one for a value that stays', () => {
    const ring = new Ring(4096);
    const poll = (second: number) => {
      for (let series = 1; series <= 500; series++) {
        const value = series % 2 ? (230 + (series % 70)) / 10 : Math.fround((500 + series) / 10);
        pushInto(ring, { kind: 'number', series, timeMs: 1_700_000_000_000 + second * 1000, value, status: 0, historical: false });
      }
    };
    poll(0);
    const half = ring.head;
    poll(1);
    encoder.restart(0);
    encoder.encode(ring, 0 as Sequence, half, 1_000);
    const first = encoder.end;
    expect(first).toBeLessThan(500 * 3);
    encoder.encode(ring, half, ring.head, 1_000);
    expect(encoder.end - first).toBeLessThan(500);
  });

  it('keeps the longest text and the longest definition within their slots', () => {
    const value = 'z'.repeat(4096);
    const { body } = encoded([{ kind: 'text', series: 9, timeMs: 5, value, status: 7, historical: true }], 1, 0);
    expect(body.length).toBeLessThanOrEqual(MAX_RECORD_BYTES);
    expect(textSlots(4096)).toBe(172);
  });

  it('of any bytes ends in records or in a BodyError', () => {
    const anyBody = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc
        .tuple(fc.array(anyRecord, { minLength: 1, maxLength: 30 }), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), fc.nat())
        .map(([records, flips, cut]) => {
          const { body } = encoded(records, 1_000, 0);
          for (const [at, value] of flips) body[at % body.length] = value;
          return cut % 3 === 0 ? body.subarray(0, cut % body.length) : body;
        }),
    );
    let refused = 0;
    fc.assert(
      fc.property(anyBody, (body) => {
        try {
          for (const record of decoded(body)) if (record.series < 0 || record.series > 0xff_ffff) throw new Error('no such series');
        } catch (error) {
          refused++;
          if (!(error instanceof BodyError)) throw error;
        }
      }),
      { numRuns: 3_000 },
    );
    expect(refused).toBeGreaterThan(100);
  });
});
