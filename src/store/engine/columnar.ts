/**
 * The engine: write-ahead log → heads in memory → chunks of a quarter of an hour in `store.db` → immutable day files.
 * One thread; every step of the background work is short.
 */
import { mkdirSync } from 'node:fs';
import { GatewayError } from '../../core/errors.ts';
import type { Ring } from '../../core/ring.ts';
import type { Sequence, SeriesDef, SeriesId } from '../../core/tag.ts';
import type { UnixMs } from '../../core/time.ts';
import type { Engine } from '../engine.ts';
import { freeBytesOf } from '../free-bytes.ts';
import { sqliteError } from '../sqlite/database.ts';
import { isDamage } from '../sqlite/file-fault.ts';
import type {
  AggregateColumns,
  AggregateQuery,
  ChangesPage,
  Columns,
  Gap,
  RawPage,
  RawQuery,
  RecoveryReport,
  RetentionPolicy,
  SeriesQuery,
  StoreStats,
  TimeRange,
} from '../telemetry.ts';
import { type BackupParts, copyStore } from './backup.ts';
import { Blobs } from './blobs.ts';
import { MAX_BLOCK_SAMPLES } from './block-limit.ts';
import type { Catalogue } from './catalogue.ts';
import { Changes } from './changes.ts';
import type { ColumnarOptions } from './columnar-options.ts';
import { DayFileNotNowError, DayFiles } from './day-files.ts';
import { dayOf, windowOf } from './grid.ts';
import { Intake } from './intake.ts';
import { LatestSamples } from './latest.ts';
import { Maintenance } from './maintenance.ts';
import { type OpenedCatalogue, openCatalogue } from './open-catalogue.ts';
import { OpenWindows } from './open-windows.ts';
import { PartIndex } from './part-index.ts';
import { Query } from './query.ts';
import { newestSamples, sealedTo } from './reader.ts';
import { RollupDays } from './rollup-days.ts';
import { Rollups } from './rollups.ts';
import { sampleVisitor } from './sample-visitor.ts';
import { Siblings } from './siblings.ts';
import { Ballast } from './space.ts';
import { copyUnsealed, type UnsealedSamples } from './unsealed.ts';
import { MAX_UNSEALED_BYTES } from './unsealed-limit.ts';
import type { Wal } from './wal/log.ts';
import { missingEnd, tellLost } from './wal/lost-ranges.ts';
import { DEFAULT_SEGMENT_BYTES, openWal } from './wal/open-wal.ts';

/** Visits records to find where the next one starts. */
const NOBODY = sampleVisitor(
  () => {},
  () => {},
);

interface Opened {
  readonly catalogue: Catalogue;
  readonly wal: Wal;
  readonly query: Query;
  readonly changes: Changes;
  readonly maintenance: Maintenance;
  /** What else a copy needs. */
  readonly backup: Pick<BackupParts, 'days' | 'segmentBytes' | 'freeBytes'>;
}

export class ColumnarEngine implements Engine {
  readonly #options: ColumnarOptions;
  readonly #definitions = new Map<SeriesId, SeriesDef>();
  readonly #siblings = new Siblings();
  #open: OpenWindows;
  #latest = new LatestSamples();
  #intake: Intake;
  #next = 0 as Sequence;
  #state: Opened | undefined;
  #retention: RetentionPolicy = {};
  #hasReopened = false;
  /** Highest id that the log has samples of: its definition may be lost, and it must not be given again. */
  #highestSeries = 0;

  constructor(options: ColumnarOptions) {
    this.#options = options;
    this.#open = new OpenWindows(options.maxBlockSamples);
    this.#intake = new Intake(this.#open, this.#latest, this.#siblings);
  }

  async open(): Promise<RecoveryReport> {
    const { dir, report, hook, freeBytes = () => freeBytesOf(dir) } = this.#options;
    mkdirSync(dir, { recursive: true });
    const ballast = new Ballast(dir);
    ballast.prepare(freeBytes());
    const { catalogue, isRescued } = openCatalogue(dir, report, hook);
    try {
      return this.#openWith({ catalogue, isRescued }, ballast, freeBytes);
    } catch (error) {
      catalogue.close();
      throw error;
    }
  }

  #openWith({ catalogue, isRescued }: OpenedCatalogue, ballast: Ballast, freeBytes: () => number): RecoveryReport {
    const {
      dir,
      clock,
      report,
      log = {},
      hook,
      maxUnsealedBytes = MAX_UNSEALED_BYTES,
      isClockTrusted = () => true,
      maxBlockSamples = MAX_BLOCK_SAMPLES,
    } = this.#options;
    for (const { id, def } of catalogue.definitions()) this.#define(id, def);
    const definition = (series: SeriesId) => this.#definitions.get(series);
    const blobs = new Blobs(definition, report);
    const days = new DayFiles(dir, catalogue.days(), blobs, report);
    const unknown = this.#latest.restore(catalogue.latest.rows(), definition);
    const { wal, setAside, replay } = openWal({ ...log, dir, identity: catalogue.progress().identity });
    for (const path of setAside) report(path, new Error('it cannot be a segment of the log and was set aside'));
    const segmentBytes = log.segmentBytes ?? DEFAULT_SEGMENT_BYTES;
    const maintenance = new Maintenance({
      catalogue,
      blobs,
      parts: new PartIndex(catalogue.parts()),
      days,
      open: this.#open,
      latest: this.#latest,
      definitions: this.#definitions,
      siblings: this.#siblings,
      wal,
      segmentBytes,
      clock,
      isClockTrusted,
      report,
      hook,
      rollupDays: new RollupDays(catalogue.rollupDays()),
      ballast,
      freeBytes,
      maxUnsealedBytes,
      maxBlockSamples,
    });
    const { layout, progress } = maintenance;
    // After a rescue, and after a crash before the first seal behind it, the newest samples are not known; what is sealed while the log is
    // read saves them.
    const areNewestLost = isRescued || (progress.kept === 0 && progress.next > 0);
    const defined = areNewestLost ? [...this.#definitions.keys()] : [];
    for (const [id, newest] of newestSamples(layout, defined)) this.#latest.replace(id, newest);
    const from = isRescued ? (wal.durable.first ?? progress.kept) : progress.kept;
    const lost = [...replay(this.#replayer(maintenance), from).lost];
    if (wal.next < progress.next && progress.kept < progress.next) lost.push(missingEnd(Math.max(wal.next, progress.kept), progress.next));
    const told = lost.filter(({ to }) => !isRescued || to > progress.next); // below it nobody knows any more what was given back
    tellLost(told, dir, report);
    const before = new Set(defined);
    const sought = isRescued
      ? [...this.#definitions.keys()].filter((id) => !before.has(id))
      : unknown.filter((id) => this.#definitions.has(id));
    for (const [id, newest] of newestSamples(layout, sought)) this.#latest.replace(id, newest);
    this.#next = Math.max(progress.next, wal.next) as Sequence;
    this.#intake.newestMs = this.#latest.newestMs();
    const query = new Query(layout, new Rollups(catalogue, report), definition);
    const changes = new Changes(layout, wal, () => maintenance.progress, report);
    this.#state = { catalogue, wal, query, changes, maintenance, backup: { days, segmentBytes, freeBytes } };
    const catalogued = [...this.#definitions].map(([id, def]) => ({ id, def }));
    const highest = catalogued.reduce(
      (max, { id }) => Math.max(max, id),
      Math.max(this.#highestSeries, isRescued ? catalogue.highestSeries() : 0),
    );
    return { next: this.#next, nextSeriesId: (highest + 1) as SeriesId, catalogue: catalogued, newestMs: this.#edge() };
  }

  async write(ring: Ring, from: Sequence, to: Sequence): Promise<Sequence> {
    const { wal, maintenance } = this.#opened();
    const start = from < this.#next ? ring.visit(from, Math.min(this.#next, to) as Sequence, NOBODY) : from; // known already
    if (start >= to) return start;
    maintenance.admit(this.#retention);
    if (this.#next === 0 && start > 0) maintenance.startAt(start);
    const end = wal.append(ring, start, to);
    this.#take(ring, start, end, maintenance);
    this.#next = end;
    return end;
  }

  async sync(): Promise<Sequence> {
    this.#opened().wal.sync();
    return this.#next;
  }

  async latest(series: readonly SeriesId[], which: 'newest' | 'usable'): Promise<Columns> {
    const { query } = this.#opened();
    return this.#latest.columns(series, which, (id, newestMs) => query.newestUsable(id, newestMs));
  }

  async raw(query: RawQuery): Promise<RawPage> {
    return this.#opened().query.raw(query);
  }

  async aggregate(query: AggregateQuery): Promise<AggregateColumns> {
    return this.#opened().query.aggregate(query);
  }

  asOf = async (query: SeriesQuery): Promise<Columns> => this.#opened().query.asOf(query);

  async gaps(query: SeriesQuery & { readonly limit: number }): Promise<readonly Gap[]> {
    return this.#opened().query.gaps(query);
  }

  async count(query: SeriesQuery & { readonly atMost: number }): Promise<number> {
    return this.#opened().query.count(query);
  }

  async changes(cursor: string | null, limit: number): Promise<ChangesPage> {
    return this.#opened().changes.page(cursor, limit);
  }

  /** What is not sealed of some series, for who reads the files in another thread. */
  unsealed(series: readonly SeriesId[], range: TimeRange): UnsealedSamples {
    const { maintenance } = this.#opened();
    return copyUnsealed({ definitions: this.#definitions, frozen: maintenance.frozen, open: this.#open }, series, range);
  }

  async stats(): Promise<StoreStats> {
    const { maintenance } = this.#opened();
    return { engine: 'columnar', ...maintenance.stats(), newestMs: this.#edge() };
  }

  async setRetention(policy: RetentionPolicy): Promise<void> {
    this.#retention = policy;
  }

  async expire(): Promise<boolean> {
    const { maintenance, catalogue } = this.#opened();
    if (maintenance.isPaused) return false;
    const isHelpless = () => !catalogue.isSuspect || this.#hasReopened;
    try {
      if (isHelpless()) return maintenance.step(this.#retention, this.#intake.newestMs);
    } catch (error) {
      if (isDamage(error) && !(error instanceof DayFileNotNowError)) catalogue.suspect('working on it', error);
      if (isHelpless()) throw sqliteError(error, 'working on the store');
    }
    await this.#reopen();
    return true;
  }

  /** Replaces a catalogue that was found damaged, once in a process: all that is not sealed is in the log. */
  async #reopen(): Promise<void> {
    this.#hasReopened = true;
    const next = this.#next;
    await this.close();
    this.#open = new OpenWindows(this.#options.maxBlockSamples);
    this.#latest = new LatestSamples();
    this.#intake = new Intake(this.#open, this.#latest, this.#siblings);
    await this.open();
    if (this.#next < next) throw new Error(`the store stood at ${next} and stands at ${this.#next} now`);
  }

  async backup(dir: string): Promise<void> {
    const { catalogue, wal, maintenance, backup } = this.#opened();
    if (maintenance.isPaused) throw new GatewayError('conflict', 'a backup is being made');
    wal.sync();
    maintenance.pause();
    try {
      await copyStore({ ...backup, catalogue, wal }, dir, this.#retention);
    } finally {
      maintenance.resume();
    }
  }

  async close(): Promise<void> {
    const state = this.#state;
    if (!state) return;
    this.#state = undefined;
    try {
      state.maintenance.close();
      state.wal.close();
    } finally {
      state.catalogue.close();
    }
  }

  #opened(): Opened {
    if (!this.#state) throw new Error('the engine is not open');
    return this.#state;
  }

  #edge(): UnixMs | null {
    return Number.isFinite(this.#intake.newestMs) ? (this.#intake.newestMs as UnixMs) : null;
  }

  #define(series: SeriesId, def: SeriesDef): void {
    this.#intake.settle(); // whether a series is alone in its tag may change
    this.#definitions.set(series, def);
    this.#siblings.define(series, def);
  }

  /** Takes a write's records into memory. */
  #take(ring: Ring, start: Sequence, end: Sequence, maintenance: Maintenance): void {
    const intake = this.#intake;
    const visitor = sampleVisitor(
      (series, timeMs, number, wide, status) => intake.take(series, timeMs, number, wide, status, start),
      (series, def) => {
        this.#define(series, def);
        maintenance.defined(series);
      },
    );
    const { memory } = ring;
    let at = start;
    while (at < end) {
      at = intake.numbers(memory, at, end, start) as Sequence;
      if (at < end) at = ring.visit(at, (at + 1) as Sequence, visitor);
    }
  }

  /** Takes the log's records into memory, but what is sealed already only as the newest of its series. */
  #replayer(maintenance: Maintenance) {
    const { layout } = maintenance;
    const { gone } = maintenance.progress;
    let first = 0 as Sequence;
    let end = 0 as Sequence;
    const visitor = sampleVisitor(
      (series, timeMs, number, wide, status) => {
        if (series > this.#highestSeries) this.#highestSeries = series;
        if (gone.size > 0 && end <= (gone.get(dayOf(timeMs)) ?? 0)) return;
        if (end > sealedTo(layout, windowOf(timeMs))) this.#intake.take(series, timeMs, number, wide, status, first);
        else {
          this.#intake.settle(); // at equal time the later one counts
          this.#latest.put(series, timeMs, number, wide, status);
        }
      },
      (series, def) => {
        this.#define(series, def);
        maintenance.defined(series);
      },
    );
    const frame = (from: Sequence, to: Sequence) => {
      maintenance.relieve(from);
      first = from;
      end = to;
    };
    return { ...visitor, frame };
  }
}
