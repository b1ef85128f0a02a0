/** The tables of `store.db`, and what can be seen wrong with them. The last column of each is the checksum of the others. */
import type { Database } from '../sqlite/database.ts';
import type { Migrations } from '../sqlite/migrations.ts';
import { isSound, type SqlValue } from './row-sum.ts';

export const MIGRATIONS: Migrations = [
  `CREATE TABLE series (id INTEGER PRIMARY KEY, def TEXT NOT NULL, sum INTEGER NOT NULL) STRICT;
   CREATE TABLE chunk (
     id INTEGER PRIMARY KEY, window INTEGER NOT NULL, part INTEGER NOT NULL, series INTEGER NOT NULL,
     times INTEGER NOT NULL, data BLOB NOT NULL, ties BLOB, sum INTEGER NOT NULL
   ) STRICT;
   CREATE UNIQUE INDEX chunk_place ON chunk (window, part, series);
   CREATE TABLE times (id INTEGER PRIMARY KEY, data BLOB NOT NULL, sum INTEGER NOT NULL) STRICT;
   CREATE TABLE part (
     window INTEGER NOT NULL, part INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, rows INTEGER NOT NULL,
     oldest_ms INTEGER NOT NULL, contents INTEGER NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY (window, part)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE day_rollup (
     day INTEGER NOT NULL, series INTEGER NOT NULL, data BLOB NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY (day, series)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE day (
     day INTEGER PRIMARY KEY, generation INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, rows INTEGER NOT NULL,
     oldest_ms INTEGER NOT NULL, bytes INTEGER NOT NULL, sum INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE latest (
     series INTEGER PRIMARY KEY, newest_ms INTEGER NOT NULL, newest ANY, status INTEGER NOT NULL,
     usable_ms INTEGER, usable ANY, usable_status INTEGER, sum INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE progress (
     one INTEGER PRIMARY KEY CHECK (one = 1), next INTEGER NOT NULL, kept INTEGER NOT NULL, identity INTEGER NOT NULL, sum INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE gone (day INTEGER PRIMARY KEY, seq INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT;
   CREATE TABLE rollup_day (
     day INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, thinned INTEGER NOT NULL, sum INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE window_rollup (
     id INTEGER PRIMARY KEY, window INTEGER NOT NULL, part INTEGER NOT NULL, bundle INTEGER NOT NULL, data BLOB NOT NULL, sum INTEGER NOT NULL
   ) STRICT;
   CREATE UNIQUE INDEX window_rollup_place ON window_rollup (window, part, bundle);`,
];

/** All tables, with what their rows are sorted by. */
export const TABLES = {
  series: 'id',
  part: 'window, part',
  day: 'day',
  latest: 'series',
  progress: 'one',
  gone: 'day',
  rollup_day: 'day',
  chunk: 'id',
  times: 'id',
  day_rollup: 'day, series',
  window_rollup: 'id',
};
/** Those that are small and read whole at each start. */
const LOADED = ['series', 'part', 'day', 'latest', 'progress', 'gone', 'rollup_day'] as const;

/** What is wrong with the tables that are read whole; those of chunks are checked row by row as they are read. Throws what SQLite throws. */
export function faultsOf(database: Database): readonly string[] {
  return LOADED.flatMap((table) => {
    const problems = database.prepare(`PRAGMA integrity_check(${table})`).pluck().all() as string[];
    if (problems[0] !== 'ok') return [`table ${table}: ${problems[0]}`];
    const rows = database.prepare(`SELECT * FROM ${table}`).raw().safeIntegers().all() as SqlValue[][];
    const unsound = rows.filter((row) => !isSound(table, row)).length;
    return unsound > 0 ? [`table ${table}: ${unsound} of ${rows.length} rows are damaged`] : [];
  });
}
