/** The read planner: which few block reads fetch all the wanted registers and bits. Pure. */
import type { RegisterType } from './options.ts';

/** Something to read: `count` registers (or bits) of a table from `start`, addresses as on the wire. */
export interface Span {
  readonly table: RegisterType;
  readonly start: number;
  readonly count: number;
}

/** One request and the spans that its answer holds, in order of address. */
export interface Block<T extends Span> extends Span {
  readonly items: readonly T[];
}

export interface ReadLimits {
  /** Unwanted registers that are cheaper to read along than another request; bits count sixteen to a register. */
  readonly maxGapRegisters: number;
  readonly maxRegisters: number;
  readonly maxBits: number;
}

const BITS_PER_REGISTER = 16;

export function isBitTable(table: RegisterType): boolean {
  return table === 'coil' || table === 'discrete_input';
}

/**
 * Packs spans into as few blocks as the limits allow: in order of address, each block grows while the gap to the next
 * span is small enough and the answer fits. A span must not be larger than the limit of its table.
 */
export function planBlocks<T extends Span>(spans: readonly T[], limits: ReadLimits): Block<T>[] {
  const blocks: Block<T>[] = [];
  for (const table of new Set(spans.map((span) => span.table))) {
    const sorted = spans.filter((span) => span.table === table).sort((a, b) => a.start - b.start || a.count - b.count);
    const maxCount = isBitTable(table) ? limits.maxBits : limits.maxRegisters;
    const maxGap = limits.maxGapRegisters * (isBitTable(table) ? BITS_PER_REGISTER : 1);
    let items: T[] = [];
    let start = 0;
    let end = 0;
    for (const span of sorted) {
      const spanEnd = span.start + span.count;
      const fits = items.length > 0 && span.start - end <= maxGap && Math.max(end, spanEnd) - start <= maxCount;
      if (!fits) {
        if (items.length > 0) blocks.push({ table, start, count: end - start, items });
        items = [];
        start = span.start;
        end = spanEnd;
      }
      items.push(span);
      end = Math.max(end, spanEnd);
    }
    if (items.length > 0) blocks.push({ table, start, count: end - start, items });
  }
  return blocks;
}

/** The two halves of a block of at least two items, each only as long as its own items need. */
export function halves<T extends Span>(block: Block<T>): readonly [Block<T>, Block<T>] {
  const middle = Math.ceil(block.items.length / 2);
  return [blockOf(block.table, block.items.slice(0, middle)), blockOf(block.table, block.items.slice(middle))];
}

function blockOf<T extends Span>(table: RegisterType, items: readonly T[]): Block<T> {
  let start = Number.POSITIVE_INFINITY;
  let end = 0;
  for (const item of items) {
    start = Math.min(start, item.start);
    end = Math.max(end, item.start + item.count);
  }
  return { table, start, count: end - start, items };
}
