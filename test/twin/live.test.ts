/** The present value of every tag: the newest by time, the last good one kept, sources merged. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BAD, BAD_NO_COMMUNICATION, GOOD, isBad, qualityOf, type StatusCode, UNCERTAIN } from '../../src/core/status.ts';
import type { Scalar, SeriesDef, SeriesId, ValueType } from '../../src/core/tag.ts';
import type { UnixMs } from '../../src/core/time.ts';
import { LiveValues } from '../../src/twin/live.ts';

function definition(valueType: ValueType = 'f64', more: Partial<SeriesDef> = {}): SeriesDef {
  return { tenant: 'default', source: 'plc', asset: 'pump', tag: 'flow', valueType, generation: 0, ...more };
}

const FLOW = { asset: 'pump', tag: 'flow' };

function live(...defs: readonly SeriesDef[]) {
  const values = new LiveValues();
  for (const [index, def] of defs.entries()) values.define((index + 1) as SeriesId, def);
  /** As the door judges it while no clock is set. */
  const newest = new Map<number, number>();
  const isLate = (series: number, timeMs: number) => {
    const late = timeMs < (newest.get(series) ?? Number.NEGATIVE_INFINITY);
    if (!late) newest.set(series, timeMs);
    return late;
  };
  const number = (series: number, timeMs: number, value: number, status: StatusCode = GOOD) =>
    values.number(series as SeriesId, timeMs as UnixMs, value, status, isLate(series, timeMs));
  const text = (series: number, timeMs: number, value: string, status: StatusCode = GOOD) =>
    values.text(series as SeriesId, timeMs as UnixMs, value, status, isLate(series, timeMs));
  const reading = (more: { readonly source?: string } = {}) => values.reading('default', { ...FLOW, ...more });
  return { values, number, text, reading };
}

describe('the live value of one series', () => {
  it('is nothing before the first sample', () => {
    const { values, reading } = live(definition());
    expect(reading()).toBeUndefined();
    expect(values.reading('default', { asset: 'pump', tag: 'other' })).toBeUndefined();
    expect(values.reading('default', { asset: 'other', tag: 'flow' })).toBeUndefined();
  });

  it('is as fresh as the newest reading that was seen, even where the deadband kept it back', () => {
    let seenMs = 90;
    const values = new LiveValues(() => seenMs);
    values.define(1 as SeriesId, definition());
    expect(values.reading('default', FLOW)).toBeUndefined();
    values.number(1 as SeriesId, 100 as UnixMs, 1, GOOD, false);
    expect(values.reading('default', FLOW)).toMatchObject({ valueMs: 100, newestMs: 100 });
    seenMs = 300;
    expect(values.reading('default', FLOW)).toMatchObject({ value: 1, valueMs: 100, newestMs: 300 });
    expect(values.reading('default', { ...FLOW, source: 'another' })).toBeUndefined();
  });

  it('is the newest by time; a late sample never replaces it', () => {
    const { number, reading } = live(definition());
    number(1, 100, 1);
    number(1, 50, 2);
    expect(reading()).toEqual({ value: 1, valueMs: 100, quality: 'good', status: GOOD, newestMs: 100, source: 'plc' });
    number(1, 51, 2, BAD);
    expect(reading()?.quality).toBe('good');
  });

  it('at equal time is the later arrival', () => {
    const { number, reading } = live(definition());
    number(1, 100, 1);
    number(1, 100, 2, UNCERTAIN);
    expect(reading()).toMatchObject({ value: 2, quality: 'uncertain' });
  });

  it('stays the last usable one under a bad or missing sample, with the quality of the newest', () => {
    const { number, reading } = live(definition());
    number(1, 100, 1);
    number(1, 200, Number.NaN, BAD_NO_COMMUNICATION);
    expect(reading()).toMatchObject({ value: 1, valueMs: 100, quality: 'bad', status: BAD_NO_COMMUNICATION, newestMs: 200 });
    number(1, 300, 9, BAD);
    expect(reading()).toMatchObject({ value: 1, valueMs: 100, newestMs: 300 });
    number(1, 150, 5);
    expect(reading()).toMatchObject({ value: 5, valueMs: 150, quality: 'bad', newestMs: 300 });
    number(1, 400, 7);
    expect(reading()).toMatchObject({ value: 7, valueMs: 400, quality: 'good', newestMs: 400 });
  });

  it('is null with a quality while there never was a usable one', () => {
    const { number, reading } = live(definition());
    number(1, 100, Number.NaN, BAD);
    expect(reading()).toMatchObject({ value: null, valueMs: null, quality: 'bad', newestMs: 100 });
  });

  it('may lie before 1970', () => {
    const { number, reading } = live(definition());
    number(1, -5, 3);
    expect(reading()).toMatchObject({ value: 3, valueMs: -5 });
  });

  it.each<[ValueType, Scalar, Scalar]>([
    ['bool', 1, true],
    ['bool', 0, false],
    ['f64', -0, -0],
    ['f32', Math.fround(23.4), 23.4],
    ['i64', -(2n ** 63n), -(2n ** 63n)],
    ['u64', 2n ** 64n - 1n, 2n ** 64n - 1n],
    ['string', 'läuft', 'läuft'],
    ['string', '', ''],
  ])('of type %s shows %s as %s', (valueType, given, shown) => {
    const { values, reading } = live(definition(valueType));
    const [series, timeMs] = [1 as SeriesId, 5 as UnixMs];
    if (typeof given === 'bigint') values.integer(series, timeMs, given, valueType === 'i64', GOOD, false);
    else if (typeof given === 'string') values.text(series, timeMs, given, GOOD, false);
    else values.number(series, timeMs, Number(given), GOOD, false);
    expect(reading()).toMatchObject({ value: shown });
  });

  it('of text and of 64 bits stays under a missing sample too', () => {
    const { values, text, reading } = live(definition('string'));
    text(1, 5, 'on');
    values.number(1 as SeriesId, 9 as UnixMs, Number.NaN, BAD, false);
    expect(reading()).toMatchObject({ value: 'on', valueMs: 5, quality: 'bad', newestMs: 9 });
  });
});

describe('the live value after the clock was set back', () => {
  const at = (timeMs: number) => [1 as SeriesId, timeMs as UnixMs] as const;

  it('is the next one that is not late, though its time is the earlier', () => {
    const { values, reading } = live(definition());
    values.number(...at(5_000), 1, GOOD, false);
    values.number(...at(1_000), 2, GOOD, false);
    expect(reading()).toMatchObject({ value: 2, valueMs: 1_000, newestMs: 1_000 });
    values.number(...at(1_500), Number.NaN, BAD_NO_COMMUNICATION, false);
    expect(reading()).toMatchObject({ value: 2, valueMs: 1_000, newestMs: 1_500, quality: 'bad' });
  });

  it('is not hidden by what another source left in the future', () => {
    let latestMs = 9_000;
    const values = new LiveValues(undefined, () => latestMs);
    values.define(1 as SeriesId, definition('f64', { source: 'a' }));
    values.define(2 as SeriesId, definition('f64', { source: 'b' }));
    values.number(...at(5_000), 1, GOOD, false);
    values.number(2 as SeriesId, 1_000 as UnixMs, 2, GOOD, false);
    expect(values.reading('default', FLOW)).toMatchObject({ value: 1, newestMs: 5_000 });
    latestMs = 4_000;
    expect(values.reading('default', FLOW)).toMatchObject({ value: 2, newestMs: 1_000, source: 'b' });
    expect(values.reading('default', { ...FLOW, source: 'a' })).toMatchObject({ value: 1 });
  });
});

describe('a tag that several series feed', () => {
  const two = () => live(definition('f64', { source: 'a' }), definition('f64', { source: 'b' }));

  it('shows the newest of all, and each source when asked for it', () => {
    const { number, reading } = two();
    number(1, 200, 1);
    number(2, 100, 2);
    expect(reading()).toMatchObject({ value: 1, source: 'a' });
    expect(reading({ source: 'b' })).toMatchObject({ value: 2, source: 'b' });
    expect(reading({ source: 'c' })).toBeUndefined();
  });

  it('at equal time shows the later arrival, whichever series is older', () => {
    const { number, reading } = two();
    number(2, 100, 2);
    number(1, 100, 1);
    expect(reading()).toMatchObject({ value: 1, source: 'a' });
    number(2, 100, 3, UNCERTAIN);
    expect(reading()).toMatchObject({ value: 3, source: 'b', quality: 'uncertain' });
  });

  it('keeps the good value of one source when the other fails later', () => {
    const { number, reading } = two();
    number(1, 100, 1);
    number(2, 200, Number.NaN, BAD_NO_COMMUNICATION);
    expect(reading()).toMatchObject({ value: 1, valueMs: 100, quality: 'bad', newestMs: 200 });
  });

  it('shows the value of the newest type through a change of type', () => {
    const { number, text, reading } = live(definition('f64'), definition('string', { generation: 1 }));
    number(1, 100, 1);
    text(2, 200, 'off');
    expect(reading()).toMatchObject({ value: 'off' });
    number(1, 300, 2);
    expect(reading()).toMatchObject({ value: 2 });
  });

  it('is kept apart by tenant', () => {
    const { values, number } = live(definition('f64', { tenant: 'other' }));
    number(1, 100, 1);
    expect(values.reading('default', FLOW)).toBeUndefined();
    expect(values.reading('other', FLOW)).toMatchObject({ value: 1 });
  });

  it('agrees with a plain list of samples, for any order of arrival', () => {
    const sample = fc.record({
      series: fc.integer({ min: 1, max: 3 }),
      timeMs: fc.nat(6),
      value: fc.oneof(fc.constant(Number.NaN), fc.nat(1_000)),
      status: fc.constantFrom(GOOD, UNCERTAIN, BAD),
    });
    fc.assert(
      fc.property(fc.array(sample, { minLength: 1, maxLength: 30 }), (samples) => {
        const { number, reading } = live(...['a', 'b', 'c'].map((source) => definition('f64', { source })));
        for (const { series, timeMs, value, status } of samples) number(series, timeMs, value, status);
        const newestOf = (list: typeof samples) =>
          list.reduce<(typeof samples)[number] | undefined>((best, next) => (best && best.timeMs > next.timeMs ? best : next), undefined);
        const newest = newestOf(samples);
        const usable = newestOf(samples.filter(({ value, status }) => !Number.isNaN(value) && !isBad(status)));
        expect(reading()).toMatchObject({
          value: usable?.value ?? null,
          valueMs: usable?.timeMs ?? null,
          newestMs: newest?.timeMs,
          status: newest?.status,
          quality: qualityOf(newest?.status ?? 0),
        });
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('the catalogue of live values', () => {
  it('names the tags of an asset in the order of their making, and their newest definition', () => {
    const { values } = live(
      definition('f64', { tag: 'b' }),
      definition('f64', { tag: 'a' }),
      definition('string', { tag: 'b', generation: 1, unit: 'x' }),
    );
    expect(values.tagNames('default', 'pump')).toEqual(['b', 'a']);
    expect(values.tagNames('default', 'nothing')).toEqual([]);
    expect(values.definition('default', 'pump', 'b')).toMatchObject({ valueType: 'string', unit: 'x' });
    expect(values.definition('default', 'pump', 'c')).toBeUndefined();
    values.define(2 as SeriesId, definition('f64', { tag: 'a', unit: 'bar' }));
    expect(values.definition('default', 'pump', 'a')?.unit).toBe('bar');
    expect(values.tagNames('default', 'pump')).toEqual(['b', 'a']);
  });

  it('grows to any id and forgets nothing', () => {
    const values = new LiveValues();
    const ids = [1, 1_023, 1_024, 1_025, 4_000, 70_000];
    for (const id of ids) {
      values.define(id as SeriesId, definition('f64', { tag: `t${id}` }));
      values.number(id as SeriesId, id as UnixMs, id, GOOD, false);
    }
    for (const id of ids) expect(values.reading('default', { asset: 'pump', tag: `t${id}` })).toMatchObject({ value: id, newestMs: id });
  });
});
