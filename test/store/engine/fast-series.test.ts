/** A series so fast that four hours of it are many blocks: nothing is done to all of it at once, and all of it is read as it came. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { GOOD, type StatusCode } from '../../../src/core/status.ts';
import type { SeriesId } from '../../../src/core/tag.ts';
import type { UnixMs } from '../../../src/core/time.ts';
import { Blobs } from '../../../src/store/engine/blobs.ts';
import { MAX_BLOCK_SAMPLES } from '../../../src/store/engine/block-limit.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { ALWAYS } from '../contract/rig.ts';
import { useTempDirs } from '../temp-dir.ts';
import { DAY, DaysRig, FIRST_DAY_MS, HOUR, MINUTE } from './days-rig.ts';

/** More than 2^21 samples in 35 minutes, from the second window of a day on. */
const FROM_MS = FIRST_DAY_MS + 15 * MINUTE;
const SAMPLES = 35 * 60_000;
const RING_SAMPLES = 3_000;

/** Any two looks at it are further apart than a step may last: each step does one thing. */
class HastyClock extends ManualClock {
  #ms = 0;

  override monotonicMs(): number {
    this.#ms += 10;
    return super.monotonicMs() + this.#ms;
  }
}

const newDir = useTempDirs();

afterEach(() => vi.restoreAllMocks());

/** Exact sums: integers. Every 100,000th came again, later, with another value. */
function valueAt(index: number): number {
  return index % 100_000 === 50_000 ? -index : (index * 7_919) % 10_007;
}

async function write(rig: DaysRig, fast: SeriesId, slow: SeriesId): Promise<void> {
  for (let index = 0; index < SAMPLES; index++) {
    const timeMs = FROM_MS + index;
    const isFirst = index % 100_000 === 50_000; // what is written here does not last
    rig.feed.ring.pushNumber(fast, timeMs as UnixMs, isFirst ? 0.5 : valueAt(index), GOOD as StatusCode);
    if (index % 60_000 === 0) rig.feed.ring.pushNumber(slow, timeMs as UnixMs, index, GOOD as StatusCode);
    if (index % RING_SAMPLES === RING_SAMPLES - 1) await rig.feed.commit();
  }
  await rig.feed.commit();
}

async function writeLate(rig: DaysRig, fast: SeriesId): Promise<void> {
  for (let index = 50_000; index < SAMPLES; index += 100_000)
    rig.feed.ring.pushNumber(fast, (FROM_MS + index) as UnixMs, valueAt(index), GOOD as StatusCode);
  await rig.feed.commit();
}

/** Samples that a call of each kind has coded in the present step, and the most of all steps. */
function watchSteps() {
  const most = { encoded: 0, decoded: 0 };
  let [encoded, decoded] = [0, 0];
  const { encodeValues, run } = Blobs.prototype;
  vi.spyOn(Blobs.prototype, 'encodeValues').mockImplementation(function (this: Blobs, series, samples, habit) {
    encoded += samples.count;
    return encodeValues.call(this, series, samples, habit);
  });
  vi.spyOn(Blobs.prototype, 'run').mockImplementation(function (this: Blobs, ...args) {
    const found = run.apply(this, args);
    decoded += found?.count ?? 0;
    return found;
  });
  const settle = async (rig: DaysRig) => {
    for (let more = true; more; ) {
      [encoded, decoded] = [0, 0];
      more = await rig.engine.expire();
      most.encoded = Math.max(most.encoded, encoded);
      most.decoded = Math.max(most.decoded, decoded);
    }
  };
  return { most, settle };
}

async function expectAll(rig: DaysRig, fast: SeriesId): Promise<void> {
  const day = { from: FIRST_DAY_MS as UnixMs, to: (FIRST_DAY_MS + DAY) as UnixMs };
  const series = [fast];
  expect(await rig.engine.count({ series, range: day, atMost: 10 * SAMPLES })).toBe(SAMPLES);
  let [seen, wrong] = [0, 0];
  let cursor: string | undefined;
  do {
    const page = await rig.engine.raw({ series, range: day, limit: 400_000, ...(cursor === undefined ? {} : { cursor }) });
    const { timeMs, numbers } = page.columns;
    for (let row = 0; row < page.columns.rows; row++, seen++) if (timeMs[row] !== FROM_MS + seen || numbers[row] !== valueAt(seen)) wrong++;
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
  expect({ seen, wrong }).toEqual({ seen: SAMPLES, wrong: 0 });
  const step = { ms: 5 * MINUTE };
  for (const aggregation of ['sum', 'min', 'max', 'first', 'last', 'count'] as const) {
    const { timeMs, values } = await rig.engine.aggregate({ series, range: day, step, aggregation });
    const expected = Array.from({ length: 7 }, (_, bucket) => folded(aggregation, bucket * step.ms, (bucket + 1) * step.ms));
    expect({ aggregation, values: [...values] }).toEqual({ aggregation, values: expected });
    expect([...timeMs]).toEqual(expected.map((_, bucket) => FROM_MS + bucket * step.ms));
  }
  const [newest] = (await rig.engine.asOf({ series, range: day })).timeMs;
  expect(newest).toBe(FROM_MS + SAMPLES - 1);
}

function folded(aggregation: 'sum' | 'min' | 'max' | 'first' | 'last' | 'count', from: number, to: number): number {
  const values = Array.from({ length: to - from }, (_, index) => valueAt(from + index));
  switch (aggregation) {
    case 'sum':
      return values.reduce((sum, value) => sum + value, 0);
    case 'min':
      return values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
    case 'max':
      return values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    case 'first':
      return values[0] as number;
    case 'last':
      return values.at(-1) as number;
    case 'count':
      return values.length;
  }
}

describe('a day with a series of a thousand samples a second', () => {
  it('is sealed and compacted block by block and reads as it was written, late samples too', async () => {
    const rig = await new DaysRig(newDir(), new HastyClock(FIRST_DAY_MS as UnixMs)).open();
    const [fast, slow] = rig.series as [SeriesId, SeriesId];
    const { most, settle } = watchSteps();
    await write(rig, fast, slow);
    rig.clock.busy(HOUR);
    await settle(rig);
    await writeLate(rig, fast);
    rig.clock.busy(HOUR);
    await settle(rig);
    await expectAll(rig, fast);
    expect(rig.files()).toEqual([]);
    rig.clock.busy(DAY);
    rig.feed.add(slow, rig.clock.now(), 1);
    await rig.feed.commit();
    rig.clock.busy(HOUR);
    await settle(rig);
    expect(rig.files()).toEqual(['01-06']);
    expect(most.encoded).toBeLessThanOrEqual(MAX_BLOCK_SAMPLES);
    expect(most.decoded).toBeLessThanOrEqual(MAX_BLOCK_SAMPLES);
    await expectAll(rig, fast);
    await rig.reopen();
    const slowRows = await rig.engine.raw({ series: [slow], range: ALWAYS, limit: 100 });
    expect([...slowRows.columns.numbers]).toEqual([...Array.from({ length: 35 }, (_, minute) => minute * 60_000), 1]);
    expect(rig.reports).toEqual([]);
    await rig.engine.close();
  }, 240_000);
});
