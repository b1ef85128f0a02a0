/** The newest samples of all series in `store.db`, so that a start need not look for them. */
import type { SeriesId } from '../../core/tag.ts';
import type { Database } from '../sqlite/database.ts';
import { rowSum } from './row-sum.ts';

/** A newest sample as it is kept: SQLite's own types; NaN is NULL. */
export interface LatestRow {
  readonly series: SeriesId;
  readonly newestMs: number;
  readonly newest: number | string | bigint | null;
  readonly status: number;
  readonly usableMs: number | null;
  readonly usable: number | string | bigint | null;
  /** Where `usableMs` is null: null when the newest usable one is not known, a number when it is known that there is none. */
  readonly usableStatus: number | null;
}

export class LatestTable {
  readonly #database: Database;
  readonly #upsert;

  constructor(database: Database) {
    this.#database = database;
    this.#upsert = database.prepare('INSERT OR REPLACE INTO latest VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
  }

  rows(): LatestRow[] {
    const rows = this.#database
      .prepare(
        'SELECT series, newest_ms AS newestMs, newest, status, usable_ms AS usableMs, usable, usable_status AS usableStatus FROM latest',
      )
      .safeIntegers()
      .all() as Record<keyof LatestRow, bigint | number | string | null>[];
    return rows.map((row) => ({
      series: Number(row.series) as SeriesId,
      newestMs: Number(row.newestMs),
      newest: row.newest,
      status: Number(row.status),
      usableMs: row.usableMs === null ? null : Number(row.usableMs),
      usable: row.usable,
      usableStatus: row.usableStatus === null ? null : Number(row.usableStatus),
    }));
  }

  put(row: LatestRow): void {
    const { series, newestMs, newest, status, usableMs, usable, usableStatus } = row;
    const values = [series, newestMs, newest, status, usableMs, usable, usableStatus];
    this.#upsert.run(...values, rowSum('latest', ...values));
  }

  /** Forgets newest samples that are older; the usable one of a series is looked up again then. */
  removeBefore(beforeMs: number): void {
    this.#database.prepare('DELETE FROM latest WHERE newest_ms < ?').run(beforeMs);
    for (const row of this.rows()) {
      if ((row.usableMs ?? beforeMs) < beforeMs) this.put({ ...row, usableMs: null, usable: null, usableStatus: null });
    }
  }

  clear(): void {
    this.#database.prepare('DELETE FROM latest').run();
  }
}
