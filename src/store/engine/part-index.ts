/** Which windows have sealed parts, by window and by day: the table of contents of `store.db`, in memory. */
import type { Sequence } from '../../core/tag.ts';
import type { Part } from './catalogue-reads.ts';
import { dayOfWindow } from './grid.ts';

export class PartIndex {
  readonly #byWindow = new Map<number, Part[]>();
  readonly #byDay = new Map<number, Set<number>>();

  constructor(parts: readonly Part[]) {
    for (const part of parts) this.add(part);
  }

  /** Parts of a window in the order of their sealing: a later one wins at equal time. */
  of(window: number): readonly Part[] {
    return this.#byWindow.get(window) ?? [];
  }

  /** What came in for the window before this sequence lies in its parts; 0 when it has none. */
  sealedTo(window: number): Sequence {
    const last = this.#byWindow.get(window)?.at(-1);
    return (last ? last.lastSequence + 1 : 0) as Sequence;
  }

  /** How often the window was sealed: the parts of one seal have the same sequences. */
  sealsOf(window: number): number {
    return new Set(this.of(window).map(({ lastSequence }) => lastSequence)).size;
  }

  windowsOf(day: number): ReadonlySet<number> {
    return this.#byDay.get(day) ?? new Set();
  }

  days(): IterableIterator<number> {
    return this.#byDay.keys();
  }

  all(): Part[] {
    return [...this.#byWindow.values()].flat();
  }

  rowsOf(day: number): number {
    let rows = 0;
    for (const window of this.windowsOf(day)) for (const part of this.of(window)) rows += part.rows;
    return rows;
  }

  add(part: Part): void {
    const parts = this.#byWindow.get(part.window);
    if (parts) parts.push(part);
    else this.#byWindow.set(part.window, [part]);
    const day = dayOfWindow(part.window);
    const windows = this.#byDay.get(day) ?? new Set();
    windows.add(part.window);
    this.#byDay.set(day, windows);
  }

  /** A day file has taken them over, or they are too old. */
  dropDay(day: number): void {
    for (const window of this.windowsOf(day)) this.#byWindow.delete(window);
    this.#byDay.delete(day);
  }
}
