/**
 * The plain engine: one SQLite row a sample. Simple enough to be believed, so it is the oracle of the contract suite and
 * the baseline of the benchmarks. A write is one transaction with a full flush: written is durable.
 */
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { GatewayError } from '../../core/errors.ts';
import type { RecordVisitor, Ring } from '../../core/ring.ts';
import type { Sequence, SeriesDef, SeriesId } from '../../core/tag.ts';
import type { UnixMs } from '../../core/time.ts';
import { copyDatabase } from '../backup/stage.ts';
import { Buckets } from '../calendar.ts';
import { type AggregateRow, aggregateColumns, ColumnsBuilder } from '../columns.ts';
import type { Engine } from '../engine.ts';
import { Accumulator } from '../fold.ts';
import { freeBytesOf } from '../free-bytes.ts';
import { Ranking } from '../ranking.ts';
import { type Database, openDatabase, sqliteError } from '../sqlite/database.ts';
import { type Migrations, migrate } from '../sqlite/migrations.ts';
import {
  type AggregateColumns,
  type AggregateQuery,
  type ChangesPage,
  type Columns,
  GAP_LOOK_BACK_MS,
  type Gap,
  type RawPage,
  type RawQuery,
  type RecoveryReport,
  type RetentionPolicy,
  type SeriesQuery,
  type StoreStats,
  type TimeRange,
} from '../telemetry.ts';

const MIGRATIONS: Migrations = [
  `CREATE TABLE series (id INTEGER PRIMARY KEY, def TEXT NOT NULL) STRICT;
   CREATE TABLE sample (
     series INTEGER NOT NULL, time INTEGER NOT NULL, value ANY, status INTEGER NOT NULL, seq INTEGER NOT NULL,
     PRIMARY KEY (series, time)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX sample_by_arrival ON sample (seq);
   CREATE TABLE progress (one INTEGER PRIMARY KEY CHECK (one = 1), next INTEGER NOT NULL) STRICT;
   INSERT INTO progress VALUES (1, 0);`,
];

const UPSERT = `INSERT INTO sample (series, time, value, status, seq) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET value = excluded.value, status = excluded.status, seq = excluded.seq`;
/** At equal time and tag the later arrival comes first, so that the reader takes it and skips the rest. */
const IN_ORDER = `SELECT sample.series, time, value, status, rank FROM
  (SELECT value ->> 0 AS series, value ->> 1 AS rank FROM json_each(?)) AS pick CROSS JOIN sample ON sample.series = pick.series
  WHERE time >= ? AND time < ? ORDER BY time, rank, seq DESC`;
const NEWEST_FIRST = `SELECT series, time, value, status, 0 AS rank FROM sample
  WHERE series IN (SELECT value FROM json_each(?)) AND time >= ? AND time < ? ORDER BY time DESC, seq DESC`;
const EXPIRE_ROWS = 10_000; // about 50 ms of deletes: commits of new data wait no longer than that

interface SampleRow {
  readonly series: bigint;
  readonly time: bigint;
  readonly value: number | bigint | string | null;
  readonly status: bigint;
  readonly rank: bigint;
}

export class RowsEngine implements Engine {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #definitions = new Map<SeriesId, SeriesDef>();
  #database: Database | undefined;
  #next = 0 as Sequence;
  #retention: RetentionPolicy = {};

  constructor(file: string, clock: Clock) {
    this.#file = file;
    this.#clock = clock;
  }

  async open(): Promise<RecoveryReport> {
    const database = openDatabase(this.#file);
    this.#database = database;
    migrate(database, MIGRATIONS, this.#file);
    this.#next = Number(database.prepare('SELECT next FROM progress').pluck().get()) as Sequence;
    const rows = database.prepare('SELECT id, def FROM series ORDER BY id').all() as { id: SeriesId; def: string }[];
    const catalogue = rows.map(({ id, def }) => ({ id, def: JSON.parse(def) as SeriesDef }));
    for (const { id, def } of catalogue) this.#definitions.set(id, def);
    const nextSeriesId = ((rows.at(-1)?.id ?? 0) + 1) as SeriesId;
    return { next: this.#next, nextSeriesId, catalogue, newestMs: this.#edgeMs('max') };
  }

  async write(ring: Ring, from: Sequence, to: Sequence): Promise<Sequence> {
    const database = this.#open();
    const defined: [SeriesId, SeriesDef][] = [];
    let end = from;
    try {
      database.transaction(() => {
        end = this.#insert(database, ring, from, to, defined);
        database.prepare('UPDATE progress SET next = ?').run(end);
      })();
    } catch (error) {
      throw sqliteError(error, 'writing samples');
    }
    for (const [id, def] of defined) this.#definitions.set(id, def);
    this.#next = end;
    return end;
  }

  #insert(database: Database, ring: Ring, from: Sequence, to: Sequence, defined: [SeriesId, SeriesDef][]): Sequence {
    const upsert = database.prepare(UPSERT);
    let arrival: number = from;
    const visitor: RecordVisitor = {
      define: (id, def) => {
        database.prepare('INSERT INTO series VALUES (?, ?) ON CONFLICT DO UPDATE SET def = excluded.def').run(id, JSON.stringify(def));
        defined.push([id, def]);
      },
      number: (series, timeMs, value, status) => upsert.run(series, timeMs, Number.isNaN(value) ? null : value, status, arrival++),
      integer: (series, timeMs, value, _signed, status) => upsert.run(series, timeMs, BigInt.asIntN(64, value), status, arrival++),
      text: (series, timeMs, value, status) => upsert.run(series, timeMs, value, status, arrival++),
    };
    return ring.visit(from, to, visitor);
  }

  async sync(): Promise<Sequence> {
    return this.#next;
  }

  async latest(series: readonly SeriesId[], which: 'newest' | 'usable'): Promise<Columns> {
    const usable = which === 'usable' ? 'AND status < 0x80000000 AND value IS NOT NULL' : '';
    const newest = this.#open()
      .prepare(`SELECT series, time, value, status, 0 AS rank FROM sample WHERE series = ? ${usable} ORDER BY time DESC LIMIT 1`)
      .safeIntegers();
    const columns = new ColumnsBuilder();
    for (const id of series) {
      const row = newest.get(id) as SampleRow | undefined;
      if (row) this.#add(columns, row);
    }
    return columns.build();
  }

  async raw(query: RawQuery): Promise<RawPage> {
    const ranking = this.#rank(query.series);
    const start = query.cursor === undefined ? undefined : ranking.resume(query.cursor);
    const range = start ? { from: Math.max(start.timeMs, query.range.from) as UnixMs, to: query.range.to } : query.range;
    const columns = new ColumnsBuilder();
    let skip = query.skip ?? 0;
    let place = '';
    for (const row of this.#inOrder(ranking, range)) {
      if (start && Number(row.time) === start.timeMs && Number(row.rank) < start.rank) continue;
      if (skip-- > 0) continue;
      if (columns.rows === query.limit) return { columns: columns.build(), next: place };
      this.#add(columns, row);
      if (columns.rows === query.limit) place = ranking.cursor(Number(row.time), Number(row.rank));
    }
    return { columns: columns.build(), next: null };
  }

  async asOf({ series, range }: SeriesQuery): Promise<Columns> {
    const newestFirst = this.#open().prepare(NEWEST_FIRST).safeIntegers();
    const columns = new ColumnsBuilder();
    for (const { members } of this.#rank(series).tags) {
      let time: bigint | undefined;
      for (const row of newestFirst.iterate(JSON.stringify(members), range.from, range.to) as IterableIterator<SampleRow>) {
        if (row.time === time) continue; // overwritten by a later arrival
        time = row.time;
        if (row.status >= 0x8000_0000n || row.value === null) continue;
        this.#add(columns, row);
        break;
      }
    }
    return columns.build();
  }

  async aggregate(query: AggregateQuery): Promise<AggregateColumns> {
    const ranking = this.#rank(query.series);
    const buckets = query.step ? new Buckets(query.step) : { of: () => query.range };
    const open = new Map<number, { readonly rank: number; readonly fromMs: number; readonly fold: Accumulator }[]>();
    for (const row of this.#inOrder(ranking, query.range)) {
      if (row.status >= 0x8000_0000n) continue;
      const rank = Number(row.rank);
      const fromMs = buckets.of(Number(row.time)).from;
      const folds = open.get(rank) ?? [];
      if (folds.length === 0) open.set(rank, folds);
      if (folds.at(-1)?.fromMs !== fromMs) folds.push({ rank, fromMs, fold: new Accumulator() });
      const value = row.value === null || typeof row.value === 'string' ? Number.NaN : Number(this.#value(row));
      folds.at(-1)?.fold.add(value, row.status >= 0x4000_0000n);
    }
    const rows: AggregateRow[] = [...open.values()]
      .flat()
      .sort((a, b) => a.fromMs - b.fromMs || a.rank - b.rank)
      .map(({ rank, fromMs, fold }) => ({
        series: ranking.tags[rank]?.series as SeriesId,
        timeMs: fromMs,
        value: fold.result(query.aggregation),
        count: fold.count,
        uncertain: fold.uncertain,
      }));
    return aggregateColumns(rows);
  }

  async gaps(query: SeriesQuery & { readonly limit: number }): Promise<readonly Gap[]> {
    const { from, to } = query.range;
    const gaps: Gap[] = [];
    let since: UnixMs | null = this.#badBefore(query.series, from) ? from : null;
    for (const row of this.#inOrder(this.#rank(query.series), query.range)) {
      if (gaps.length === query.limit) return gaps;
      const atMs = Number(row.time) as UnixMs;
      if (row.status >= 0x8000_0000n) {
        since ??= atMs;
      } else {
        if (since !== null && since < atMs) gaps.push({ from: since, to: atMs });
        since = null;
      }
    }
    if (since !== null && since < to && gaps.length < query.limit) gaps.push({ from: since, to });
    return gaps;
  }

  async count(query: SeriesQuery & { readonly atMost: number }): Promise<number> {
    const ranking = this.#rank(query.series);
    const { from, to } = query.range;
    const distinct = ranking.simple ? '' : 'DISTINCT rank, time,';
    const counted = `SELECT COUNT(*) FROM (SELECT ${distinct} 1 FROM
      (SELECT value ->> 0 AS series, value ->> 1 AS rank FROM json_each(?)) AS pick CROSS JOIN sample ON sample.series = pick.series
      WHERE time >= ? AND time < ? LIMIT ?)`;
    return Number(this.#open().prepare(counted).pluck().get(pick(ranking), from, to, query.atMost));
  }

  async changes(cursor: string | null, limit: number): Promise<ChangesPage> {
    const from = cursor === null ? 0 : Number(cursor);
    if (cursor !== null && !/^\d{1,15}$/.test(cursor)) throw new GatewayError('invalid_cursor', 'the cursor is not one of ours');
    const rows = this.#open()
      .prepare('SELECT series, time, value, status, seq AS rank FROM sample WHERE seq >= ? ORDER BY seq LIMIT ?')
      .safeIntegers()
      .all(BigInt(from), limit) as SampleRow[];
    const columns = new ColumnsBuilder();
    for (const row of rows) this.#add(columns, row);
    return { columns: columns.build(), next: String(rows.length > 0 ? Number(rows.at(-1)?.rank) + 1 : from) };
  }

  async stats(): Promise<StoreStats> {
    const database = this.#open();
    const pages = Number(database.pragma('page_count', { simple: true })) * Number(database.pragma('page_size', { simple: true }));
    const samples = Number(database.prepare('SELECT COUNT(*) FROM sample').pluck().get());
    return {
      engine: 'rows',
      samples,
      fileBytes: pages,
      rawBytes: pages,
      rollupBytes: 0,
      logBytes: 0,
      bytesPerSample: samples > 0 ? pages / samples : null,
      unsealedWindows: 0,
      unsealedRows: 0,
      freeBytes: freeBytesOf(dirname(this.#file)),
      days: 0,
      oldestMs: this.#edgeMs('min'),
      newestMs: this.#edgeMs('max'),
    };
  }

  async setRetention(policy: RetentionPolicy): Promise<void> {
    this.#retention = policy;
  }

  async expire(): Promise<boolean> {
    const { maxAgeMs } = this.#retention;
    const newestMs = maxAgeMs === undefined ? null : this.#edgeMs('max');
    if (maxAgeMs === undefined || newestMs === null) return false;
    const limitMs = Math.min(newestMs, this.#clock.now()) - maxAgeMs; // a sample from the future must not sweep out the present
    const remove = this.#open().prepare(
      'DELETE FROM sample WHERE series = ? AND time IN (SELECT time FROM sample WHERE series = ? AND time < ? ORDER BY time LIMIT ?)',
    );
    try {
      for (const id of this.#definitions.keys()) if (remove.run(id, id, limitMs, EXPIRE_ROWS).changes === EXPIRE_ROWS) return true;
    } catch (error) {
      throw sqliteError(error, 'removing old samples');
    }
    return false;
  }

  async backup(dir: string): Promise<void> {
    await copyDatabase(this.#open(), join(dir, basename(this.#file)));
  }

  async close(): Promise<void> {
    this.#database?.close();
    this.#database = undefined;
  }

  #open(): Database {
    if (!this.#database) throw new Error('the engine is not open');
    return this.#database;
  }

  #rank(series: readonly SeriesId[]): Ranking {
    return new Ranking(series, (id) => this.#definitions.get(id));
  }

  /** Rows by (time, rank), one for each, the later arrival winning. */
  *#inOrder(ranking: Ranking, range: TimeRange): Generator<SampleRow, void, undefined> {
    const rows = this.#open().prepare(IN_ORDER).safeIntegers().iterate(pick(ranking), range.from, range.to) as IterableIterator<SampleRow>;
    let time: bigint | undefined;
    let rank: bigint | undefined;
    for (const row of rows) {
      if (row.time === time && row.rank === rank) continue;
      ({ time, rank } = row);
      yield row;
    }
  }

  /** True when the newest sample of the month before `fromMs` is bad; at equal time the later arrival speaks. */
  #badBefore(series: readonly SeriesId[], fromMs: UnixMs): boolean {
    const newest = this.#open().prepare(
      'SELECT time, seq, status FROM sample WHERE series = ? AND time >= ? AND time < ? ORDER BY time DESC LIMIT 1',
    );
    const found = series.map(
      (id) => newest.get(id, fromMs - GAP_LOOK_BACK_MS, fromMs) as { time: number; seq: number; status: number } | undefined,
    );
    const [last] = found.filter((row) => row !== undefined).sort((a, b) => b.time - a.time || b.seq - a.seq);
    return last !== undefined && last.status >= 0x8000_0000;
  }

  #add(columns: ColumnsBuilder, row: SampleRow): void {
    columns.add(Number(row.series) as SeriesId, Number(row.time), this.#value(row), Number(row.status));
  }

  #value(row: SampleRow): number | bigint | string | null {
    if (typeof row.value !== 'bigint') return row.value;
    return this.#definitions.get(Number(row.series) as SeriesId)?.valueType === 'u64' ? BigInt.asUintN(64, row.value) : row.value;
  }

  #edgeMs(edge: 'min' | 'max'): UnixMs | null {
    const newest = this.#open().prepare(`SELECT ${edge}(time) FROM sample WHERE series = ?`).pluck();
    let found: number | null = null;
    for (const id of this.#definitions.keys()) {
      const timeMs = newest.get(id) as number | null;
      if (timeMs !== null && (found === null || (edge === 'max' ? timeMs > found : timeMs < found))) found = timeMs;
    }
    return found as UnixMs | null;
  }
}

function pick(ranking: Ranking): string {
  return JSON.stringify([...ranking.rankOf]);
}
