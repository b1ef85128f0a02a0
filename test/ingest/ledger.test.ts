/** The books: whatever happens to the ring and to the store, every reading of every source is accounted for after every step. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BAD_SENSOR_FAILURE, GOOD } from '../../src/core/status.ts';
import type { Sequence } from '../../src/core/tag.ts';
import type { UnixMs } from '../../src/core/time.ts';
import { Account, Flight } from '../../src/ingest/ledger.ts';
import { MORNING_MS, turn } from '../support/manual-clock.ts';
import { bench, missingIn, open } from './bench.ts';

const SOURCES = ['plc', 'broker', 'packs'] as const;

describe('the books of a box', () => {
  const source = fc.constantFrom(...SOURCES);
  const burst = fc.record({ do: fc.constant('burst' as const), source, count: fc.integer({ min: 1, max: 300 }), spread: fc.boolean() });
  const reading = fc.record({
    do: fc.constant('say' as const),
    source,
    kind: fc.constantFrom(
      'number',
      'same',
      'near',
      'text',
      'long',
      'integer',
      'boolean',
      'missing',
      'late',
      'never',
      'malformed',
      'stranger',
    ),
  });
  const store = fc.oneof(
    fc.record({ do: fc.constant('write' as const), limit: fc.oneof(fc.nat(200), fc.constant(10_000)) }),
    fc.record({ do: fc.constantFrom('sync', 'die', 'publish', 'settle', 'rest', 'reopen' as const) }),
  );
  const steps = fc.array(fc.oneof(burst, reading, reading, store, store), { minLength: 5, maxLength: 120, size: 'max' });

  it('balance after every step, and in the end hold what the store holds', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(0, 300, 2 ** 32 - 1_000), steps, async (start, plan) => {
        const b = bench({ start });
        const doors = new Map(SOURCES.map((name) => [name, b.door(name)]));
        let clockMs = MORNING_MS as number;
        const said = new Map<string, number>(SOURCES.map((name) => [name, 0]));
        const say = (name: (typeof SOURCES)[number], kind: string) => {
          const door = doors.get(name) ?? b.door(name);
          said.set(name, (said.get(name) ?? 0) + 1);
          clockMs++;
          const nowMs = clockMs as UnixMs;
          switch (kind) {
            case 'number':
              return door.number(open(door, 'n'), nowMs, clockMs, GOOD);
            case 'same':
              return door.number(open(door, 's'), MORNING_MS, 1, GOOD);
            case 'near':
              return door.number(open(door, 'near', { deadband: { type: 'absolute', value: 2 } }), nowMs, clockMs % 5, GOOD);
            case 'text':
              return door.text(open(door, 't'), nowMs, `${clockMs}`.repeat(clockMs % 40), GOOD);
            case 'long':
              return door.text(open(door, 't'), nowMs, 'x'.repeat(1_025), GOOD);
            case 'integer':
              return door.integer(open(door, 'n'), nowMs, BigInt(clockMs), true, GOOD);
            case 'boolean':
              return door.boolean(open(door, 'n'), nowMs, clockMs % 2 === 0, GOOD);
            case 'missing':
              return door.missing(open(door, 'n'), nowMs, BAD_SENSOR_FAILURE);
            case 'late':
              return door.number(open(door, 'n'), (clockMs - 10_000) as UnixMs, clockMs, GOOD);
            case 'never':
              return door.number(open(door, 'n'), Number.NaN as UnixMs, 1, GOOD);
            case 'malformed':
              return door.rejected('malformed');
            default:
              door.series({ asset: 'a', tag: 't', tenant: 'nobody' });
          }
        };
        for (const step of plan) {
          if (step.do === 'burst') {
            const others = step.spread ? SOURCES : [step.source];
            for (let left = step.count; left > 0; left--) say(others[left % others.length] ?? step.source, 'number');
          } else if (step.do === 'say') say(step.source, step.kind);
          else if (step.do === 'write') b.store.write(step.limit);
          else if (step.do === 'sync') b.store.sync();
          else if (step.do === 'die') b.store.die();
          else if (step.do === 'publish') b.pipeline.publish();
          else if (step.do === 'settle') b.pipeline.settle();
          else if (step.do === 'rest') await turn();
          else {
            for (const [name, door] of doors) {
              door.lost();
              said.set(name, b.account(name).received);
              door.close();
              doors.set(name, b.door(name));
            }
          }
          for (const name of SOURCES) {
            const counts = b.account(name).counts();
            expect(missingIn(counts)).toBe(0);
            expect(counts.received).toBe(said.get(name));
            expect(Math.min(counts.inFlight, counts.committed)).toBeGreaterThanOrEqual(0);
            expect(counts.committed).toBeLessThanOrEqual(b.store.heldOf(name));
          }
        }
        for (const name of SOURCES) {
          const held = b.stored(name).length;
          expect(b.account(name).counts()).toMatchObject({ committed: held, inFlight: 0 });
        }
      }),
      { numRuns: 60 },
    );
  });

  it('stay right when the store frees the ring many times before it says that anything is durable', () => {
    const b = bench();
    const doors = SOURCES.map((name) => ({ door: b.door(name), series: open(b.door(name)) }));
    for (let round = 0; round < 3_000; round++) {
      for (const { door, series } of doors) door.number(series, undefined, round, GOOD);
      if (round % 50 === 0) {
        b.pipeline.publish();
        b.store.write();
      }
    }
    for (const name of SOURCES) {
      const counts = b.account(name).counts();
      expect(missingIn(counts)).toBe(0);
      expect(counts).toMatchObject({ received: 3_000, committed: 0 });
    }
    for (const name of SOURCES) {
      const held = b.stored(name).length;
      expect(b.account(name).counts()).toMatchObject({ committed: held, inFlight: 0 });
      expect(held).toBe(3_000);
    }
  });
});

describe('a flight of readings', () => {
  it('lands run by run, in ring order, at the position that the store has reached', () => {
    const flight = new Flight(8);
    const [a, b] = [new Account(), new Account()];
    for (const [account, head] of [
      [a, 1],
      [a, 2],
      [b, 5],
      [a, 6],
    ] as const)
      flight.add(account, head as Sequence);
    const landed = (durable: number) => {
      flight.settle(durable as Sequence);
      return [a.committed, a.inFlight, b.committed, b.inFlight];
    };
    expect(landed(1)).toEqual([0, 3, 0, 1]);
    expect(landed(2)).toEqual([2, 1, 0, 1]);
    expect(landed(4)).toEqual([2, 1, 0, 1]);
    expect(landed(6)).toEqual([2, 1, 1, 0]);
    flight.close();
    expect(landed(6)).toEqual([3, 0, 1, 0]);
  });

  it('agrees with a plain list for any run of sources, commits and closings, however small it began', () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ who: fc.nat(2), slots: fc.integer({ min: 1, max: 9 }) }) },
      { weight: 1, arbitrary: fc.constantFrom('close', 'settle' as const) },
    );
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200, size: 'max' }),
        fc.array(fc.nat(40), { minLength: 30, maxLength: 30 }),
        (steps, hops) => {
          const flight = new Flight(4);
          const accounts = [new Account(), new Account(), new Account()];
          const list: { readonly who: number; readonly end: number }[] = [];
          let head = 0;
          let durable = 0;
          let closedTo = 0;
          const check = (exact: boolean) => {
            for (const [who, account] of accounts.entries()) {
              const mine = list.filter((item) => item.who === who);
              expect(account.committed + account.inFlight).toBe(mine.length);
              const below = mine.filter(({ end }) => end <= durable).length;
              expect(account.committed).toBeLessThanOrEqual(below);
              if (exact) expect(account.committed).toBe(below);
            }
          };
          for (const [index, each] of steps.entries()) {
            if (each === 'close') {
              flight.close();
              closedTo = head;
            } else if (each === 'settle') {
              durable = Math.min(closedTo, durable + (hops[index % hops.length] ?? 0));
              flight.settle(durable as Sequence);
              check(false);
            } else {
              head += each.slots;
              flight.add(accounts[each.who] as Account, head as Sequence);
              list.push({ who: each.who, end: head });
            }
          }
          flight.close();
          durable = head;
          flight.settle(durable as Sequence);
          check(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('books what the store wrote and no longer has as dropped, and only that', () => {
    const b = bench({});
    const door = b.door('plc');
    const level = open(door, 'level');
    const say = (value: number) => door.number(level, (MORNING_MS + value) as UnixMs, value, GOOD);
    say(1);
    b.pipeline.publish();
    const from = b.pipeline.ring.head;
    say(2);
    say(3);
    b.pipeline.publish();
    const to = b.pipeline.ring.head;
    b.pipeline.lose(from, to);
    say(4);
    b.store.sync();
    b.pipeline.publish();
    b.store.write(10_000);
    b.store.sync();
    b.pipeline.settle();
    expect(b.account('plc').counts()).toMatchObject({ received: 4, committed: 2, dropped: { store_lost: 2 }, inFlight: 0 });
    const definitions: number[] = [];
    const nothing = () => {};
    const visitor = { number: nothing, integer: nothing, text: nothing, define: (series: number) => definitions.push(series) };
    b.pipeline.ring.visit(0 as Sequence, b.pipeline.ring.head, visitor);
    expect(definitions).toEqual([level, level]);
  });
});
