/**
 * Answers queries from the engine's files in a thread of its own, beside the one that writes them. What is not sealed is handed in: it
 * is asked for first, so that a window that is sealed meanwhile is seen twice, which merges, and never not at all.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { Clock } from '../../core/clock.ts';
import { GatewayError } from '../../core/errors.ts';
import { sqliteError } from '../sqlite/database.ts';
import type { TimeRange } from '../telemetry.ts';
import { Blobs } from './blobs.ts';
import { CatalogueReads, type Day, type Report } from './catalogue-reads.ts';
import { DayFiles } from './day-files.ts';
import { dayOf, windowOf } from './grid.ts';
import { PartIndex } from './part-index.ts';
import { Query } from './query.ts';
import { RollupDays } from './rollup-days.ts';
import { Rollups } from './rollups.ts';
import { type UnsealedSamples, unsealedLayout } from './unsealed.ts';

const CACHE_KIB = 4_096;
/** A compaction may replace a day's file under a query; that it does so again under the next try is a matter of hours. */
const TRIES = 3;
/** Longer than any sensible query takes on a slow box; the next ones wait behind it. */
const TIMEOUT_MS = 30_000;

export interface HistoryOptions {
  /** The engine's folder. An engine has opened it. */
  readonly dir: string;
  readonly clock: Clock;
  /** Hears of damage: what is damaged, and how. */
  readonly report: (what: string, error: unknown) => void;
}

type Damage = readonly [what: string, error: unknown];

export class History {
  readonly #clock: Clock;
  readonly #report: HistoryOptions['report'];
  readonly #file: string;
  readonly #hear: (what: string, error: unknown) => void;
  /** Of the file that is open: a damaged one is replaced under its name. */
  #inode: number;
  #reads: CatalogueReads;
  readonly #blobs: Blobs;
  readonly #days: DayFiles;
  #rollups: Rollups;
  #definitions: UnsealedSamples['definitions'] = new Map();
  #damage: Damage[] = [];

  /** Throws `store_failed`. */
  constructor({ dir, clock, report }: HistoryOptions) {
    this.#clock = clock;
    this.#report = report;
    const hear = (what: string, error: unknown) => {
      this.#damage.push([what, error]);
    };
    this.#hear = hear;
    this.#file = join(dir, 'store.db');
    this.#reads = openReads(this.#file, hear);
    this.#inode = statSync(this.#file).ino;
    this.#blobs = new Blobs((series) => this.#definitions.get(series), hear);
    this.#days = new DayFiles(dir, [], this.#blobs, hear);
    this.#rollups = new Rollups(this.#reads, hear);
  }

  /**
   * Lets `ask` put its questions about `range`. `unsealed` was asked for before; `check` is called at each block and may throw. Throws
   * `store_failed`, `invalid_cursor`, and `range_too_large` after half a minute.
   */
  answer<Answer>(unsealed: UnsealedSamples, range: TimeRange, ask: (query: Query) => Answer, check = () => {}): Answer {
    this.#definitions = unsealed.definitions;
    this.#follow();
    const endMs = this.#clock.monotonicMs() + TIMEOUT_MS;
    const guard = () => {
      check();
      if (this.#clock.monotonicMs() > endMs)
        throw new GatewayError('range_too_large', 'the query takes too long: ask for a shorter time or fewer tags');
    };
    for (let tries = 1; ; tries++) {
      this.#damage = [];
      const { days, answer } = this.#once(unsealed, range, guard, ask);
      if (this.#damage.length > 0 && tries < TRIES && this.#isReplaced(days)) continue;
      for (const [what, error] of this.#damage) this.#report(what, error);
      return answer;
    }
  }

  close(): void {
    this.#days.close();
    this.#reads.close();
  }

  #follow(): void {
    const { ino } = statSync(this.#file);
    if (ino === this.#inode) return;
    this.#reads.close();
    this.#reads = openReads(this.#file, this.#hear);
    this.#rollups = new Rollups(this.#reads, this.#hear);
    this.#blobs.forget('store');
    this.#inode = ino;
  }

  /** In one read transaction: what is swept meanwhile stays visible to it. */
  #once<Answer>(unsealed: UnsealedSamples, range: TimeRange, guard: () => void, ask: (query: Query) => Answer) {
    const { database } = this.#reads;
    try {
      database.exec('BEGIN');
      const days = this.#reads.days(dayOf(range.from), dayOf(range.to - 1) + 1);
      this.#days.follow(days, range);
      const parts = new PartIndex(this.#reads.parts(windowOf(range.from), windowOf(range.to - 1) + 1));
      const rollupDays = new RollupDays(this.#reads.rollupDays(dayOf(range.from), dayOf(range.to - 1) + 1));
      const layout = { catalogue: this.#reads, blobs: this.#blobs, parts, days: this.#days, rollupDays, ...unsealedLayout(unsealed) };
      const query = new Query(layout, this.#rollups, (series) => this.#definitions.get(series), guard);
      return { days, answer: ask(query) };
    } catch (error) {
      throw error instanceof Database.SqliteError ? sqliteError(error, 'reading the store') : error;
    } finally {
      if (database.inTransaction) database.exec('COMMIT');
    }
  }

  /** Whether the catalogue has switched a day to another file since it said `days`. */
  #isReplaced(days: readonly Day[]): boolean {
    const [first, last] = [days[0]?.day, days.at(-1)?.day];
    if (first === undefined || last === undefined) return false;
    const now = new Map(this.#reads.days(first, last + 1).map(({ day, generation }) => [day, generation]));
    return days.some(({ day, generation }) => now.get(day) !== generation);
  }
}

function openReads(file: string, report: Report): CatalogueReads {
  try {
    const database = new Database(file, { readonly: true, fileMustExist: true });
    database.pragma(`cache_size = -${CACHE_KIB}`);
    return new CatalogueReads(database, file, report);
  } catch (error) {
    throw sqliteError(error, `opening ${file}`);
  }
}
