/** The read planner covers every tag exactly and never asks a device for more than it gives. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REGISTER_TYPES } from '../../../src/drivers/modbus/options.ts';
import { halves, isBitTable, planBlocks, type Span } from '../../../src/drivers/modbus/plan.ts';

const DEFAULTS = { maxGapRegisters: 16, maxRegisters: 125, maxBits: 2_000 };
const span = fc
  .record({ table: fc.constantFrom(...REGISTER_TYPES), start: fc.oneof(fc.nat(300), fc.nat(65_535)), count: fc.constantFrom(1, 2, 4) })
  .map(({ table, start, count }): Span => {
    const width = isBitTable(table) ? 1 : count;
    return { table, start: Math.min(start, 65_536 - width), count: width };
  });
const limits = fc.record({
  maxGapRegisters: fc.nat(125),
  maxRegisters: fc.integer({ min: 4, max: 125 }),
  maxBits: fc.integer({ min: 1, max: 2_000 }),
});
const holding = (start: number, count = 1): Span => ({ table: 'holding', start, count });
const extent = ({ table, start, count }: Span) => ({ table, start, count });

describe('planBlocks', () => {
  it('puts every span into exactly one block that holds all of it', () => {
    fc.assert(
      fc.property(fc.array(span, { maxLength: 200 }), limits, (spans, someLimits) => {
        const blocks = planBlocks(spans, someLimits);
        expect(new Set(blocks.flatMap((block) => block.items))).toEqual(new Set(spans));
        expect(blocks.reduce((sum, block) => sum + block.items.length, 0)).toBe(spans.length);
        for (const block of blocks) {
          for (const item of block.items) {
            expect(item.table).toBe(block.table);
            expect(item.start).toBeGreaterThanOrEqual(block.start);
            expect(item.start + item.count).toBeLessThanOrEqual(block.start + block.count);
          }
        }
      }),
    );
  });

  it('never exceeds a limit, and bridges no gap larger than allowed', () => {
    fc.assert(
      fc.property(fc.array(span, { maxLength: 200 }), limits, (spans, someLimits) => {
        for (const block of planBlocks(spans, someLimits)) {
          const bits = isBitTable(block.table);
          expect(block.count).toBeLessThanOrEqual(bits ? someLimits.maxBits : someLimits.maxRegisters);
          expect(block.start + block.count).toBeLessThanOrEqual(65_536);
          let end = block.start;
          for (const item of block.items) {
            expect(item.start - end).toBeLessThanOrEqual(someLimits.maxGapRegisters * (bits ? 16 : 1));
            end = Math.max(end, item.start + item.count);
          }
          expect(end).toBe(block.start + block.count);
        }
      }),
    );
  });

  it('starts a new block only where limit or gap forbid one', () => {
    fc.assert(
      fc.property(fc.array(span, { maxLength: 100 }), limits, (spans, someLimits) => {
        const blocks = planBlocks(spans, someLimits);
        for (const [index, block] of blocks.entries()) {
          const next = blocks[index + 1];
          const first = next?.items[0];
          if (!next || !first || next.table !== block.table) continue;
          const bits = isBitTable(block.table);
          const gap = first.start - (block.start + block.count);
          const joined = first.start + first.count - block.start;
          const allowed =
            gap <= someLimits.maxGapRegisters * (bits ? 16 : 1) && joined <= (bits ? someLimits.maxBits : someLimits.maxRegisters);
          expect(allowed).toBe(false);
        }
      }),
    );
  });

  it('reads a hundred neighbouring floats in two requests', () => {
    const floats = Array.from({ length: 100 }, (_, index) => holding(index * 2, 2));
    expect(planBlocks(floats, DEFAULTS).map(extent)).toEqual([holding(0, 124), holding(124, 76)]);
  });

  it('bridges a gap of 16 registers, but not of 17', () => {
    expect(planBlocks([holding(0), holding(17)], DEFAULTS).map(extent)).toEqual([holding(0, 18)]);
    expect(planBlocks([holding(0), holding(18)], DEFAULTS).map(extent)).toEqual([holding(0), holding(18)]);
  });

  it('never mixes tables', () => {
    expect(planBlocks([holding(0), { table: 'input', start: 1, count: 1 }], DEFAULTS)).toHaveLength(2);
  });
});

describe('halves', () => {
  it('share the items out in order, each half no longer than it needs', () => {
    fc.assert(
      fc.property(fc.array(span, { minLength: 2, maxLength: 60 }), (spans) => {
        for (const block of planBlocks(spans, DEFAULTS)) {
          if (block.items.length < 2) continue;
          const [left, right] = halves(block);
          expect([...left.items, ...right.items]).toEqual(block.items);
          expect(left.items.length).toBeGreaterThan(0);
          expect(right.items.length).toBeGreaterThan(0);
          for (const half of [left, right]) {
            expect(half.start).toBe(Math.min(...half.items.map((item) => item.start)));
            expect(half.start + half.count).toBe(Math.max(...half.items.map((item) => item.start + item.count)));
          }
        }
      }),
    );
  });
});
