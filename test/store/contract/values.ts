/** Contract: every kind of value comes back as it went in, bit by bit, from all reads that show samples. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BAD, GOOD, UNCERTAIN } from '../../../src/core/status.ts';
import type { Scalar, SeriesId, ValueType } from '../../../src/core/tag.ts';
import { rowsOf } from './model.ts';
import { ALWAYS, type Opened, type Rig } from './rig.ts';

/** −0 is kept apart from 0: it costs nothing, a device may mean something by it, and "bit-exact" needs no footnote then. */
const NUMBERS = [
  0,
  -0,
  1,
  -1,
  0.1,
  0.1 + 0.2,
  5e-324,
  -5e-324,
  2.2250738585072014e-308,
  1e308,
  -1.7976931348623157e308,
  2 ** 53,
  2 ** 53 + 2,
];
const FLOATS = [0, -0, 23.4, 1e-45, 3.4028234663852886e38, 1 / 3, -16_777_217].map(Math.fround);
const SIGNED = [0n, 1n, -1n, 2n ** 53n + 1n, -(2n ** 53n) - 1n, 2n ** 63n - 1n, -(2n ** 63n)];
const UNSIGNED = [0n, 1n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n];
const TEXTS = [
  '',
  ' ',
  '\0',
  'a\0b',
  '0',
  '1e3',
  'null',
  'Ωπ',
  '👩‍🔧 läuft',
  '\u{10ffff}',
  "'; DROP TABLE sample; --",
  'x'.repeat(1024),
  '☃'.repeat(1024),
];

export function valuesContract(rig: Rig): void {
  describe('values', () => {
    const cases: [ValueType, readonly Scalar[]][] = [
      ['f64', NUMBERS],
      ['f32', FLOATS],
      ['i64', SIGNED],
      ['u64', UNSIGNED],
      ['bool', [true, false]],
      ['string', TEXTS],
    ];
    it.each(cases)('of type %s come back exactly, after a restart too', async (valueType, values) => {
      const { feed, engine } = await rig.open();
      const series = feed.define('value', valueType);
      for (const [time, value] of values.entries()) feed.add(series, time, value);
      feed.add(series, values.length, null, BAD);
      await feed.commit();
      const expected = [...values.map((value) => (typeof value === 'boolean' ? Number(value) : value)), null];
      await expectEverywhere(engine, series, expected);
      await expectEverywhere((await rig.reopen()).engine, series, expected);
    });

    it('that are any 64 bits of a finite number come back exactly', async () => {
      const { feed, engine } = await rig.open();
      const run = freshRun(feed, 'f64');
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 200 }),
          async (values) => {
            const series = run();
            for (const [time, value] of values.entries()) feed.add(series, time, value);
            await feed.commit();
            const { columns } = await engine.raw({ series: [series], range: ALWAYS, limit: 1_000 });
            expect(bits(columns.numbers)).toEqual(bits(Float64Array.from(values)));
          },
        ),
        { numRuns: 30 },
      );
    });

    it('may be absent whatever the quality, and absent is not zero, false or empty text', async () => {
      const { feed, engine } = await rig.open();
      for (const valueType of ['f64', 'i64', 'string', 'bool'] as const) {
        const series = feed.define(valueType, valueType);
        for (const [time, status] of [GOOD, UNCERTAIN, BAD].entries()) feed.add(series, time, null, status);
        await feed.commit();
        await expectEverywhere(engine, series, [null, null, null]);
      }
    });

    it('keep all 32 bits of their status', async () => {
      const { feed, engine } = await rig.open();
      const series = feed.define('value');
      const statuses = [0, 1, 0x0000_0480, 0x4000_0000, 0x7fff_ffff, 0x8000_0000, 0x8031_0000, 0xffff_ffff];
      for (const [time, status] of statuses.entries()) feed.add(series, time, 1, status);
      await feed.commit();
      const { columns } = await engine.raw({ series: [series], range: ALWAYS, limit: 100 });
      expect([...columns.status]).toEqual(statuses);
    });

    it('keep their time to the millisecond, before 1970 and at the ends of what RFC 3339 can write', async () => {
      const { feed, engine } = await rig.open();
      const series = feed.define('value');
      const times = [-62_167_219_200_000, -1, 0, 1, 1_767_693_600_123, 253_402_300_799_999].sort((a, b) => a - b);
      for (const time of times.toReversed()) feed.add(series, time, time);
      await feed.commit();
      const { columns } = await engine.raw({ series: [series], range: ALWAYS, limit: 100 });
      expect([...columns.timeMs]).toEqual(times);
      expect([...columns.numbers]).toEqual(times);
    });

    it('of several kinds stand side by side in one answer', async () => {
      const { feed, engine } = await rig.open();
      const series = [feed.define('a'), feed.define('b', 'string'), feed.define('c', 'i64'), feed.define('d', 'u64')];
      const values = [1.5, 'on', -3n, 2n ** 64n - 1n];
      for (const [index, id] of series.entries()) feed.add(id, 5, values[index] as Scalar);
      await feed.commit();
      expect(rowsOf(await engine.latest(series, 'newest')).map(({ value }) => value)).toEqual(values);
    });
  });
}

/** raw, changes and, for the last one, latest. */
async function expectEverywhere(engine: Opened['engine'], series: SeriesId, values: readonly (Scalar | null)[]): Promise<void> {
  const { columns } = await engine.raw({ series: [series], range: ALWAYS, limit: 1_000 });
  expect(rowsOf(columns).map(({ value }) => value)).toEqual(values);
  const changes = rowsOf((await engine.changes(null, 1_000)).columns).filter((row) => row.series === series);
  expect(changes.map(({ value }) => value)).toEqual(values);
  expect(rowsOf(await engine.latest([series], 'newest'))[0]?.value).toEqual(values.at(-1));
}

function bits(values: Float64Array): bigint[] {
  return [...new BigUint64Array(values.slice().buffer)];
}

function freshRun(feed: Opened['feed'], valueType: ValueType): () => SeriesId {
  let run = 0;
  return () => feed.define(`value ${run++}`, valueType);
}
