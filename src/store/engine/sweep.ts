/** Removes what no part counts any more, or not yet after a crash: chunks with their times, and rollups of windows; some rows a step. */
import type { Catalogue } from './catalogue.ts';
import type { PartNumber } from './catalogue-reads.ts';

/** Rows of a step, and with them as many times at most: some 2 ms of SQLite's work. Nobody waits for the disk: what comes back is swept again. */
const ROWS_A_STEP = 300;
/** Parts that a step looks at: some µs each. */
const PARTS_A_STEP = 200;

type Table = 'chunk' | 'window_rollup';

interface Chunk {
  readonly id: number;
  readonly times: number;
}

interface Found {
  readonly chunks: Chunk[];
  readonly rollups: number[];
}

export class Sweep {
  readonly #catalogue: Catalogue;
  readonly #endWindow: number;
  /** The next part is this one or behind it. */
  #place: PartNumber;
  readonly #nextOf;
  readonly #counts;
  readonly #chunksOf;
  readonly #rollupsOf;
  readonly #removeChunks;
  readonly #removeTimes;
  readonly #removeRollups;

  /** Of windows [firstWindow, endWindow); while none of them is being sealed. */
  constructor(catalogue: Catalogue, firstWindow: number, endWindow: number) {
    const { database } = catalogue;
    const nextIn = (table: Table) =>
      database.prepare(
        `SELECT window, part FROM ${table} WHERE (window, part) >= (:window, :part) AND window < :end ORDER BY window, part LIMIT 1`,
      );
    const listed = 'SELECT value FROM json_each(?)';
    this.#catalogue = catalogue;
    this.#endWindow = endWindow;
    this.#place = { window: firstWindow, part: 0 };
    this.#nextOf = { chunk: nextIn('chunk'), window_rollup: nextIn('window_rollup') };
    this.#counts = database.prepare('SELECT 1 FROM part WHERE window = :window AND part = :part');
    this.#chunksOf = database.prepare('SELECT id, times FROM chunk WHERE window = :window AND part = :part LIMIT :limit');
    this.#rollupsOf = database.prepare('SELECT id FROM window_rollup WHERE window = :window AND part = :part LIMIT :limit').pluck();
    this.#removeChunks = database.prepare(`DELETE FROM chunk WHERE id IN (${listed})`);
    this.#removeTimes = database.prepare(`DELETE FROM times WHERE id IN (${listed})`);
    this.#removeRollups = database.prepare(`DELETE FROM window_rollup WHERE id IN (${listed})`);
  }

  /** True when there may be more. Throws `store_failed` or `disk_full`: the step may be repeated. */
  step(): boolean {
    const found: Found = { chunks: [], rollups: [] };
    let place: PartNumber | undefined = this.#place;
    for (let looked = 0; place && looked < PARTS_A_STEP && found.chunks.length + found.rollups.length < ROWS_A_STEP; looked++) {
      const next = this.#next(place);
      place = next && (this.#counts.get({ ...next }) || this.#find(next, found) ? { window: next.window, part: next.part + 1 } : next);
    }
    if (found.chunks.length + found.rollups.length > 0) this.#remove(found);
    if (place) this.#place = place;
    return place !== undefined;
  }

  /** The first part from a place on that has anything, whether it counts or not. */
  #next(place: PartNumber): PartNumber | undefined {
    const of = (table: Table) => this.#nextOf[table].get({ ...place, end: this.#endWindow }) as PartNumber | undefined;
    const [chunk, rollup] = [of('chunk'), of('window_rollup')];
    return chunk && rollup ? (isBefore(rollup, chunk) ? rollup : chunk) : (chunk ?? rollup);
  }

  /** Adds what a part has, as long as there is room; true when that was all. */
  #find(part: PartNumber, { chunks, rollups }: Found): boolean {
    const room = () => ROWS_A_STEP - chunks.length - rollups.length;
    chunks.push(...(this.#chunksOf.all({ ...part, limit: room() }) as Chunk[]));
    rollups.push(...(this.#rollupsOf.all({ ...part, limit: room() }) as number[]));
    return room() > 0;
  }

  /** The times that chunks of a part share are of no other part, and its chunks count no more: they go with the first that has them. */
  #remove({ chunks, rollups }: Found): void {
    this.#catalogue.commitUnsynced('sweeping chunks', () => {
      this.#removeTimes.run(JSON.stringify([...new Set(chunks.map(({ times }) => times))]));
      this.#removeChunks.run(JSON.stringify(chunks.map(({ id }) => id)));
      this.#removeRollups.run(JSON.stringify(rollups));
    });
  }
}

function isBefore(a: PartNumber, b: PartNumber): boolean {
  return a.window < b.window || (a.window === b.window && a.part < b.part);
}
