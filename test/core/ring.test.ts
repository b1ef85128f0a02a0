/** The ring against a plain array: whatever is pushed, drained, delayed or lost with a reader, every record is kept once and whole. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_INLINE_BYTES, type RecordVisitor, Ring, textSlots } from '../../src/core/ring.ts';
import type { StatusCode } from '../../src/core/status.ts';
import { MAX_SERIES_ID, type Sequence, type SeriesDef, type SeriesId, type ValueType } from '../../src/core/tag.ts';
import type { UnixMs } from '../../src/core/time.ts';

type Shown =
  | { readonly kind: 'define'; readonly series: number; readonly def: SeriesDef }
  | {
      readonly kind: 'number' | 'i64' | 'u64' | 'text';
      readonly series: number;
      readonly timeMs: number;
      readonly value: number | bigint | string;
      readonly status: number;
      readonly historical: boolean;
    };

function collector(into: Shown[]): RecordVisitor {
  return {
    define: (series, def) => into.push({ kind: 'define', series, def }),
    number: (series, timeMs, value, status, historical) => into.push({ kind: 'number', series, timeMs, value, status, historical }),
    integer: (series, timeMs, value, signed, status, historical) =>
      into.push({ kind: signed ? 'i64' : 'u64', series, timeMs, value, status, historical }),
    text: (series, timeMs, value, status, historical) => into.push({ kind: 'text', series, timeMs, value, status, historical }),
  };
}

function pushInto(ring: Ring, record: Shown): boolean {
  const series = record.series as SeriesId;
  if (record.kind === 'define') return ring.pushDefinition(series, record.def);
  const timeMs = record.timeMs as UnixMs;
  const status = record.status as StatusCode;
  const { kind, value, historical } = record;
  if (kind === 'number') return ring.pushNumber(series, timeMs, value as number, status, historical);
  if (kind === 'text') return ring.pushText(series, timeMs, value as string, status, historical);
  return ring.pushInteger(series, timeMs, value as bigint, kind === 'i64', status, historical);
}

const series = fc.oneof(fc.constantFrom(1, MAX_SERIES_ID), fc.integer({ min: 1, max: MAX_SERIES_ID }));
const common = {
  series,
  timeMs: fc.oneof(fc.constantFrom(0, -1, -62_167_219_200_000, 253_402_300_799_999), fc.integer({ min: -1e12, max: 3e12 })),
  status: fc.oneof(fc.constantFrom(0, 0xffff_ffff, 0x8000_0000), fc.integer({ min: 0, max: 0xffff_ffff })),
  historical: fc.boolean(),
};
const anyNumber = fc.oneof(
  fc.constantFrom(Number.NaN, -0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.MIN_VALUE, Number.MAX_VALUE),
  fc.double(),
);
/** Well-formed, as the door passes it, and of 0 to 4096 bytes. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .array(
      fc.oneof(fc.constantFrom('a', 'é', '€', '😀', '\ud83d', '\ude00', '\0', '\ufeff'), fc.string({ unit: 'binary-ascii', maxLength: 3 })),
    )
    .map((units) => units.join('').toWellFormed()),
  fc.nat(MAX_INLINE_BYTES).map((bytes) => 'x'.repeat(bytes)),
  fc.nat(MAX_INLINE_BYTES / 4).map((count) => '😀'.repeat(count)),
);
const anyDefinition: fc.Arbitrary<SeriesDef> = fc.record(
  {
    tenant: fc.constantFrom('default', 'plant-2'),
    source: fc.string({ maxLength: 20 }),
    asset: fc.string({ maxLength: 40 }),
    tag: fc.string({ unit: 'binary', minLength: 1, maxLength: 128 }),
    valueType: fc.constantFrom<ValueType>('f64', 'f32', 'i64', 'u64', 'bool', 'string'),
    generation: fc.nat(9),
    unit: fc.constantFrom('°C', 'm³/h', '"\\'),
    scale: fc.constantFrom(0.1, -2),
  },
  { requiredKeys: ['tenant', 'source', 'asset', 'tag', 'valueType', 'generation'] },
);
const anyRecord: fc.Arbitrary<Shown> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ ...common, kind: fc.constant('number' as const), value: anyNumber }) },
  fc.record({ ...common, kind: fc.constant('i64' as const), value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) }),
  fc.record({ ...common, kind: fc.constant('i64' as const), value: fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, -1n) }),
  fc.record({ ...common, kind: fc.constant('u64' as const), value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
  fc.record({ ...common, kind: fc.constant('u64' as const), value: fc.constantFrom(0n, 2n ** 63n, 2n ** 64n - 1n) }),
  { weight: 4, arbitrary: fc.record({ ...common, kind: fc.constant('text' as const), value: anyText }) },
  { weight: 2, arbitrary: fc.record({ series, kind: fc.constant('define' as const), def: anyDefinition }) },
);

const SLOTS = 512;
const STARTS = [0, 1, 511, 2 ** 31 - 700, 2 ** 31, 2 ** 32 - 700, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 77, 2 ** 53 - 2 ** 20];

/** The obvious ring: an array of what was taken, and where each record lies. */
interface Model {
  readonly records: { readonly record: Shown; readonly start: number; readonly end: number }[];
  head: number;
  published: number;
  /** The store's. */
  read: number;
  written: number;
  durable: number;
}

/** The real thing: the producer's ring, and the store's own object over the same memory, which a crash replaces. */
interface Real {
  readonly producer: Ring;
  reader: Ring;
  /** Records that the store has read since it last wrote, then those that it has written. */
  unwritten: Shown[];
  readonly committed: Shown[];
}

type Command = fc.Command<Model, Real>;

function costOf(model: Model, record: Shown): { readonly pad: number; readonly slots: number } {
  const text = record.kind === 'define' ? JSON.stringify(record.def) : record.kind === 'text' ? String(record.value) : undefined;
  if (text === undefined) return { pad: 0, slots: 1 };
  const slots = 1 + Math.ceil(new TextEncoder().encode(text).length / 24);
  const toEnd = SLOTS - (model.head % SLOTS);
  return { pad: slots > toEnd ? toEnd : 0, slots };
}

class Push implements Command {
  readonly record: Shown;
  constructor(record: Shown) {
    this.record = record;
  }
  check = () => true;
  run(model: Model, { producer }: Real): void {
    const { pad, slots } = costOf(model, this.record);
    const fits = model.head + pad + slots - model.written <= SLOTS;
    expect(pushInto(producer, this.record)).toBe(fits);
    if (fits) {
      model.records.push({ record: this.record, start: model.head + pad, end: model.head + pad + slots });
      model.head += pad + slots;
    }
    expect(producer.head).toBe(model.head);
    expect(producer.backlog).toBe(model.head - model.written);
  }
  toString = () => `push ${this.record.kind}`;
}

class Room implements Command {
  readonly slots: number;
  constructor(slots: number) {
    this.slots = slots;
  }
  check = () => true;
  run(model: Model, { producer }: Real): void {
    expect(producer.hasRoom(this.slots)).toBe(model.head + this.slots - model.written <= SLOTS);
  }
  toString = () => `room for ${this.slots}?`;
}

class Publish implements Command {
  check = () => true;
  run(model: Model, { producer }: Real): void {
    producer.publish();
    model.published = model.head;
  }
  toString = () => 'publish';
}

class Read implements Command {
  readonly limit: number;
  constructor(limit: number) {
    this.limit = limit;
  }
  check = () => true;
  run(model: Model, real: Real): void {
    const { reader } = real;
    const from = model.read as Sequence;
    const to = reader.publishedFrom(from);
    expect(to).toBe(model.published);
    const shown: Shown[] = [];
    const end = reader.visit(from, to, collector(shown), this.limit);
    const expected = model.records.filter(({ start, end: recordEnd }) => start >= from && recordEnd <= end);
    expect(shown).toEqual(expected.map(({ record }) => record));
    expect(end).toBeLessThanOrEqual(to);
    expect(end).toBeGreaterThanOrEqual(Math.min(to, from + this.limit));
    const cut = model.records.some((record) => record.start < end && end < record.end);
    expect(cut).toBe(false);
    model.read = end;
    real.unwritten.push(...shown);
  }
  toString = () => `read ${this.limit}`;
}

class Write implements Command {
  check = () => true;
  run(model: Model, real: Real): void {
    real.reader.setWritten(model.read as Sequence);
    real.committed.push(...real.unwritten);
    real.unwritten = [];
    model.written = model.read;
    expect(real.producer.written).toBe(model.written);
  }
  toString = () => 'write';
}

class Sync implements Command {
  check = () => true;
  run(model: Model, { producer, reader }: Real): void {
    reader.setDurable(model.written as Sequence);
    model.durable = model.written;
    expect(producer.durable).toBe(model.durable);
  }
  toString = () => 'sync';
}

class Die implements Command {
  check = () => true;
  run(model: Model, real: Real): void {
    real.reader = new Ring(SLOTS, real.producer.buffer);
    real.unwritten = [];
    model.read = model.written;
    expect(real.producer.durable).toBe(model.durable);
  }
  toString = () => 'the store dies';
}

const commands: fc.Arbitrary<Command>[] = [
  anyRecord.map((record) => new Push(record)),
  anyRecord.map((record) => new Push(record)),
  anyRecord.map((record) => new Push(record)),
  fc.nat(SLOTS + 2).map((slots) => new Room(slots)),
  fc.constant(new Publish()),
  fc.oneof(fc.nat(20), fc.constant(SLOTS * 2)).map((limit) => new Read(limit)),
  fc.constant(new Write()),
  fc.constant(new Sync()),
  fc.constant(new Die()),
];

describe('the ring and a plain array', () => {
  it('agree after every step of any life of producer and store', { timeout: 60_000 }, () => {
    const life = fc.commands(commands, { maxCommands: 150, size: 'max' });
    fc.assert(
      fc.property(fc.constantFrom(...STARTS), life, (start, steps) => {
        const producer = new Ring(SLOTS);
        producer.startAt(start as Sequence);
        const model: Model = { records: [], head: start, published: start, read: start, written: start, durable: start };
        const real: Real = { producer, reader: new Ring(SLOTS, producer.buffer), unwritten: [], committed: [] };
        fc.modelRun(() => ({ model, real }), steps);
        for (const step of [new Publish(), new Read(Number.POSITIVE_INFINITY), new Write(), new Sync()]) step.run(model, real);
        expect(real.committed).toEqual(model.records.map(({ record }) => record));
        expect(model.durable).toBe(model.head);
      }),
      { numRuns: 400 },
    );
  });

  it('agree over many turns of the ring', { timeout: 60_000 }, () => {
    const lap = fc.record({
      records: fc.array(anyRecord, { minLength: 1, maxLength: 30, size: 'max' }),
      limit: fc.integer({ min: 1, max: 600 }),
    });
    fc.assert(
      fc.property(fc.constantFrom(...STARTS), fc.array(lap, { minLength: 5, maxLength: 20, size: 'max' }), (start, laps) => {
        const producer = new Ring(SLOTS);
        producer.startAt(start as Sequence);
        const reader = new Ring(SLOTS, producer.buffer);
        const pushed: Shown[] = [];
        const shown: Shown[] = [];
        let at = start as Sequence;
        const drain = (limit: number) => {
          producer.publish();
          at = reader.visit(at, reader.publishedFrom(at), collector(shown), limit);
          reader.setWritten(at);
        };
        for (const { records, limit } of laps) {
          for (const record of records) {
            while (!pushInto(producer, record)) drain(limit);
            pushed.push(record);
          }
        }
        while (at < producer.head) drain(50);
        expect(shown).toEqual(pushed);
      }),
      { numRuns: 150 },
    );
  });
});

describe('a ring', () => {
  it('takes exactly as many records as it has slots, then refuses and keeps what it has', () => {
    const ring = new Ring(SLOTS);
    const push = (value: number) => ring.pushNumber(1 as SeriesId, 0 as UnixMs, value, 0 as StatusCode);
    for (let value = 0; value < SLOTS; value++) expect(push(value)).toBe(true);
    expect(push(-1)).toBe(false);
    expect(ring.pushText(1 as SeriesId, 0 as UnixMs, '', 0 as StatusCode)).toBe(false);
    ring.publish();
    const shown: Shown[] = [];
    ring.visit(0 as Sequence, ring.publishedFrom(0 as Sequence), collector(shown));
    expect(shown.map((record) => record.kind === 'number' && record.value)).toEqual(Array.from({ length: SLOTS }, (_, value) => value));
  });

  it('shows nothing that is not published', () => {
    const ring = new Ring(SLOTS);
    const reader = new Ring(SLOTS, ring.buffer);
    ring.pushNumber(1 as SeriesId, 0 as UnixMs, 1, 0 as StatusCode);
    expect(reader.publishedFrom(0 as Sequence)).toBe(0);
    ring.publish();
    expect(reader.publishedFrom(0 as Sequence)).toBe(1);
  });

  it('pads a text that would lie across its end, and takes the longest text at any place', () => {
    for (let before = 0; before < SLOTS; before += 7) {
      const ring = new Ring(SLOTS);
      ring.startAt(before as Sequence);
      const text = `${'é'.repeat(2_047)}xy`;
      expect(Buffer.byteLength(text)).toBe(MAX_INLINE_BYTES);
      expect(ring.pushText(7 as SeriesId, 5 as UnixMs, text, 0 as StatusCode)).toBe(true);
      expect(ring.pushNumber(7 as SeriesId, 6 as UnixMs, 6, 0 as StatusCode)).toBe(true);
      ring.publish();
      const shown: Shown[] = [];
      ring.visit(before as Sequence, ring.head, collector(shown));
      expect(shown.map((record) => record.kind !== 'define' && record.value)).toEqual([text, 6]);
    }
  });

  it('calls a text that is too long a mistake, and stays as it was', () => {
    const ring = new Ring(SLOTS);
    expect(() => ring.pushText(1 as SeriesId, 0 as UnixMs, 'x'.repeat(MAX_INLINE_BYTES + 1), 0 as StatusCode)).toThrow(RangeError);
    expect(ring.head).toBe(0);
  });

  it('takes integers modulo 2^64', () => {
    const ring = new Ring(SLOTS);
    ring.pushInteger(1 as SeriesId, 0 as UnixMs, 2n ** 64n + 5n, false, 0 as StatusCode);
    ring.pushInteger(1 as SeriesId, 0 as UnixMs, 2n ** 63n, true, 0 as StatusCode);
    const shown: Shown[] = [];
    ring.visit(0 as Sequence, ring.head, collector(shown));
    expect(shown.map((record) => record.kind !== 'define' && record.value)).toEqual([5n, -(2n ** 63n)]);
  });

  it.each([0, 100, 511, 513, 1_000, 1.5, -512, Number.NaN])('has a power of two of slots, not %d', (slots) => {
    expect(() => new Ring(slots)).toThrow(RangeError);
  });
});

describe('textSlots', () => {
  it('is a head and one slot for every 24 bytes begun', () => {
    expect([0, 1, 24, 25, 48, 4_096].map(textSlots)).toEqual([1, 2, 2, 3, 3, 172]);
  });
});
