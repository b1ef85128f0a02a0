/** The rollups that were decoded last: a chart is drawn again and again from the same days. */
import type { RollupColumns } from './rollup.ts';

/** About 900 days of one series each, or a day and a half of 1,000 series in windows. */
const MAX_BYTES = 8 << 20;

export class DecodedRollups {
  /** Least recently used first. */
  readonly #known = new Map<string, RollupColumns>();
  #bytes = 0;
  #version: number | undefined;

  /** What was decoded of another state of the tables holds no longer. */
  follow(version: number): void {
    if (version === this.#version) return;
    this.#version = version;
    this.#known.clear();
    this.#bytes = 0;
  }

  /** What is known by that name, or else what `decode` finds, which nobody changes. */
  get(name: string, decode: () => RollupColumns | undefined): RollupColumns | undefined {
    const known = this.#known.get(name);
    if (known) {
      this.#known.delete(name); // the most recently used goes to the end
      this.#known.set(name, known);
      return known;
    }
    const columns = decode();
    if (columns) this.#put(name, columns);
    return columns;
  }

  #put(name: string, columns: RollupColumns): void {
    this.#known.set(name, columns);
    this.#bytes += sizeOf(columns);
    for (const [oldest, dropped] of this.#known) {
      if (this.#bytes <= MAX_BYTES) return;
      this.#known.delete(oldest);
      this.#bytes -= sizeOf(dropped);
    }
  }
}

/** In bytes. Columns that are the same count once. */
function sizeOf({ rows: _, ...columns }: RollupColumns): number {
  let bytes = 0;
  for (const column of new Set(Object.values(columns))) bytes += column.byteLength;
  return bytes;
}
