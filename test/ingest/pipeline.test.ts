/** The pipeline: everything that passes the door reaches the consumer once and in order, and whoever waits is woken. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GOOD } from '../../src/core/status.ts';
import type { SeriesId } from '../../src/core/tag.ts';
import { turn } from '../support/manual-clock.ts';
import { bench, missingIn, open } from './bench.ts';

describe('apply', () => {
  it('hears every record once and in order, however bursts, texts and a busy store mix', async () => {
    const step = fc.record({
      burst: fc.nat(400),
      text: fc.option(fc.nat(1_000)),
      rest: fc.boolean(),
      drain: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.nat(511), fc.array(step, { minLength: 1, maxLength: 25, size: 'max' }), async (start, steps) => {
        const b = bench({ start });
        const door = b.door();
        const number = open(door, 'n');
        const text = open(door, 't');
        let next = 0;
        for (const { burst, text: length, rest, drain } of steps) {
          for (let left = burst; left > 0; left--) {
            if (!b.ring.hasRoom(200)) b.stored(); // a quick store: nothing is dropped, slots are used again at once
            door.number(number, undefined, next++, GOOD);
          }
          if (length !== null) door.text(text, undefined, `${next++} ${'x'.repeat(length)}`, GOOD);
          if (rest) await turn();
          if (drain) b.stored();
        }
        await turn();
        const heard = b.live.all.map(({ value }) => (typeof value === 'string' ? Number.parseInt(value, 10) : value));
        const inRing = b.stored().length;
        const dropped = b.account('plc').counts().dropped.store_full ?? 0;
        expect(heard).toEqual(Array.from({ length: next }, (_, index) => index));
        expect(inRing + dropped).toBe(next);
      }),
      { numRuns: 100 },
    );
  });

  it('is forced before its lag passes half the ring, and the store may then use the slots again', () => {
    const b = bench();
    const door = b.door();
    const series = open(door);
    let furthest = 0;
    for (let value = 0; value < 5_000; value++) {
      door.number(series, undefined, value, GOOD);
      furthest = Math.max(furthest, value + 1 - b.live.all.length);
      b.pipeline.publish();
      b.store.drain();
    }
    expect(furthest).toBeLessThanOrEqual(b.ring.slots / 2 + 1);
    expect(b.live.all.map(({ value }) => value)).toEqual(Array.from({ length: b.live.all.length }, (_, index) => index));
  });

  it('works in slices, so that a long drain lets others run, and every slice goes on where the one before ended', async () => {
    let work = 0;
    const b = bench({
      slots: 1 << 14,
      consumer: (live) => ({
        number: (...sample) => {
          if (++work % 1_000 === 0) b.clock.busy(5);
          live.number(...sample);
        },
        integer: () => undefined,
        text: () => undefined,
      }),
    });
    const door = b.door();
    const series = open(door);
    for (let value = 0; value < 8_000; value++) door.number(series, undefined, value, GOOD);
    await new Promise((resolve) => setImmediate(resolve));
    expect(b.live.all.length).toBeGreaterThan(0);
    expect(b.live.all.length).toBeLessThan(8_000);
    for (let round = 0; round < 20; round++) await turn();
    expect(b.live.all.map(({ value }) => value)).toEqual(Array.from({ length: 8_000 }, (_, index) => index));
  });

  it('has told of everything that somebody waited for, however far behind it was', async () => {
    const b = bench({
      slots: 1 << 14,
      consumer: (live) => ({
        number: (...sample) => {
          if (live.all.length % 1_000 === 0) b.clock.busy(5);
          live.number(...sample);
        },
        integer: () => undefined,
        text: () => undefined,
      }),
    });
    const door = b.door();
    const series = open(door);
    for (let value = 0; value < 8_000; value++) door.number(series, undefined, value, GOOD);
    const waiting = door.durable(door.sequence(), new AbortController().signal);
    b.store.drain();
    await waiting;
    expect(b.live.all).toHaveLength(8_000);
  });

  it('has one slice in each round of the event loop, however many bursts arrive meanwhile', async () => {
    let sliced = 0;
    const b = bench({
      slots: 1 << 14,
      consumer: (live) => ({
        number: (...sample) => {
          if (live.all.length % 1_024 === 0) {
            sliced++;
            b.clock.busy(5);
          }
          live.number(...sample);
        },
        integer: () => undefined,
        text: () => undefined,
      }),
    });
    const door = b.door();
    const series = open(door);
    let value = 0;
    let most = 0;
    for (let round = 0; round < 6; round++) {
      for (let burst = 0; burst < 2_500; burst++) door.number(series, undefined, value++, GOOD);
      sliced = 0;
      await new Promise((resolve) => setImmediate(resolve));
      most = Math.max(most, sliced);
    }
    expect(most).toBe(1);
  });

  it('hears a reading that the consumer itself brings about, once, after the one that brought it', async () => {
    let echo: ((value: number) => void) | undefined;
    const b = bench({
      consumer: (live) => ({
        number: (...sample) => {
          live.number(...sample);
          const value = sample[2];
          if (value >= 0) echo?.(value);
        },
        integer: () => undefined,
        text: () => undefined,
      }),
    });
    const door = b.door();
    const series = open(door);
    const derived = b.door('derived');
    const output = open(derived);
    echo = (value) => derived.number(output, undefined, -1 - value, GOOD);
    for (let value = 0; value < 3_000; value++) {
      if (!b.ring.hasRoom(20)) b.stored();
      door.number(series, undefined, value, GOOD);
      if (value % 400 === 0) await turn(); // rarely enough that apply is also forced
    }
    for (let round = 0; round < 10; round++) {
      await turn();
      b.stored();
    }
    const numbers = b.live.all.map(({ value }) => Number(value));
    const inputs = numbers.filter((value) => value >= 0);
    const outputs = numbers.filter((value) => value < 0).map((value) => -1 - value);
    expect(inputs).toEqual(Array.from({ length: 3_000 }, (_, index) => index));
    expect(outputs).toEqual(inputs);
  });

  it('ends with everything applied when the run ends', async () => {
    const b = bench();
    const stop = new AbortController();
    const running = b.pipeline.run(stop.signal);
    const door = b.door();
    const series = open(door);
    for (let value = 0; value < 100; value++) door.number(series, undefined, value, GOOD);
    stop.abort();
    await running;
    expect(b.live.all).toHaveLength(100);
    b.store.write();
    expect(b.store.written.all).toHaveLength(100);
    expect(b.clock.sleeping).toBe(0);
  });
});

describe('a full ring', () => {
  it('never blinds the consumer: values come through live, counted as dropped', async () => {
    const b = bench();
    const door = b.door();
    const series = open(door);
    for (let value = 0; value < 5_000; value++) door.number(series, undefined, value, GOOD);
    const text = open(door, 'text');
    for (let value = 0; value < 200; value++) door.text(text, undefined, 'x'.repeat(1_000 + (value % 20)), GOOD);
    await turn();
    expect(b.live.all).toHaveLength(5_200);
    const kept = b.stored().length;
    const counts = b.account('plc').counts();
    expect(counts.dropped).toEqual({ store_full: 5_200 - kept });
    expect(missingIn(counts)).toBe(0);
    expect(kept).toBeGreaterThan(400);
  });

  it('keeps the order of arrival for the consumer, before, during and after', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ burst: fc.nat(900), drain: fc.boolean(), rest: fc.boolean() }), { maxLength: 12 }),
        async (steps) => {
          const b = bench();
          const door = b.door();
          const series = open(door);
          let value = 0;
          for (const { burst, drain, rest } of steps) {
            for (let left = burst; left > 0; left--) door.number(series, undefined, value++, GOOD);
            if (rest) await turn();
            if (drain) b.stored();
          }
          await turn();
          expect(b.live.all.map((sample) => sample.value)).toEqual(Array.from({ length: value }, (_, index) => index));
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('room', () => {
  const fill = (slots = 512) => {
    const b = bench({ slots });
    const door = b.door();
    const series = open(door);
    while (b.ring.hasRoom(1)) door.number(series, undefined, b.ring.head, GOOD);
    return { b, door };
  };

  it('comes when the store has freed an eighth of the ring, and the store was asked to', async () => {
    const { b, door } = fill();
    let free = false;
    const waiting = door.room(new AbortController().signal).then(() => {
      free = true;
    });
    await b.clock.advance(1_000);
    expect(free).toBe(false);
    expect(b.store.relieved).toBeGreaterThan(0);
    b.store.write(30);
    await b.clock.advance(1_000);
    expect(free).toBe(false);
    b.store.write(40);
    await b.clock.advance(100);
    expect(free).toBe(true);
    await waiting;
  });

  it('comes when as much is free as the producer asked for', async () => {
    const { b, door } = fill();
    expect(door.reserve(200)).toBe(false);
    let free = false;
    const waiting = door.room(new AbortController().signal).then(() => {
      free = true;
    });
    b.store.write(100);
    await b.clock.advance(100);
    expect(free).toBe(false);
    b.store.write();
    await b.clock.advance(100);
    await waiting;
    expect(door.reserve(200)).toBe(true);
  });

  it('is refused with the reason of the signal', async () => {
    const { b, door } = fill();
    const stop = new AbortController();
    const reason = new Error('enough');
    const ended = expect(door.room(stop.signal)).rejects.toBe(reason);
    await b.clock.advance(100);
    stop.abort(reason);
    await ended;
    expect(b.clock.sleeping).toBe(0);
    await expect(door.room(AbortSignal.abort(reason))).rejects.toBe(reason);
    await expect(bench().door().room(AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

describe('publishing', () => {
  it('happens by itself within one round of the event loop', async () => {
    const b = bench();
    const door = b.door();
    door.number(open(door), undefined, 1, GOOD);
    await turn();
    b.store.write();
    expect(b.store.written.all).toHaveLength(1);
  });

  it('asks for a commit as soon as a quarter of the ring waits', async () => {
    const b = bench();
    const door = b.door();
    const series = open(door);
    for (let value = 0; value < 100; value++) door.number(series, undefined, value, GOOD);
    await turn();
    expect(b.store.relieved).toBe(0);
    for (let value = 0; value < 30; value++) door.number(series, undefined, value, GOOD);
    await turn();
    expect(b.store.relieved).toBe(1);
  });

  it('makes durable what was pushed in the same breath', async () => {
    const b = bench();
    const door = b.door();
    door.number(open(door), undefined, 1, GOOD);
    let durable = false;
    const waiting = door.durable(door.sequence(), new AbortController().signal).then(() => {
      durable = true;
    });
    await turn();
    b.store.write();
    await turn();
    expect(durable).toBe(false);
    b.store.sync();
    await waiting;
    expect(b.account('plc').counts()).toMatchObject({ received: 1, committed: 1, inFlight: 0 });
  });

  it('settles the books within a tenth of a second though nobody waits', async () => {
    const b = bench();
    const stop = new AbortController();
    const running = b.pipeline.run(stop.signal);
    const door = b.door();
    door.number(open(door), undefined, 1, GOOD);
    await turn();
    expect(b.account('plc').counts().inFlight).toBe(1);
    b.store.drain();
    await b.clock.advance(100);
    expect(b.account('plc').counts()).toMatchObject({ committed: 1, inFlight: 0 });
    stop.abort();
    await running;
  });
});

describe('the time of a burst', () => {
  it('is asked for anew with each burst', async () => {
    const b = bench();
    const door = b.door();
    const series = open(door);
    door.number(series, undefined, 1, GOOD);
    await b.clock.advance(500);
    door.number(series, undefined, 2, GOOD);
    const [first, second] = b.stored();
    expect((second?.timeMs ?? 0) - (first?.timeMs ?? 0)).toBe(500);
  });
});

describe('an id that no door gave', () => {
  it('is a mistake that is told at once', () => {
    expect(() =>
      bench()
        .door()
        .number(99 as SeriesId, undefined, 1, GOOD),
    ).toThrow('series 99');
  });
});
