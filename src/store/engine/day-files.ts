/** The day files of a store: which days have one, the open handles, and their blocks as runs. */
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { GatewayError, messageOf } from '../../core/errors.ts';
import type { SeriesId } from '../../core/tag.ts';
import { faultOfFile } from '../sqlite/file-fault.ts';
import type { TimeRange } from '../telemetry.ts';
import type { Blobs, StoredRun } from './blobs.ts';
import type { Day } from './catalogue-reads.ts';
import { CorruptBlockError } from './codec/corrupt-block-error.ts';
import { isDamagedCopy } from './damaged-copy.ts';
import { DayFile, dayFileName, dayOfFileName } from './day-file.ts';
import { DecodedBlocks } from './decoded-blocks.ts';
import { DAY_BLOCK_MS, DAY_MS, dayOf } from './grid.ts';
import { mergeRuns, type Run } from './run.ts';
import type { Extent } from './stretch.ts';

const { SqliteError } = Database;
/** Open handles; a month's read stays below a descriptor limit of 1,024 by far. */
const MAX_OPEN = 32;

/** A range of times in ms, its end not included. */
export interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The file cannot be read at this moment. It says nothing of other files, as `store.db`. */
export class DayFileNotNowError extends GatewayError {}

export class DayFiles {
  readonly #dataDir: string;
  readonly #blobs: Blobs;
  readonly #onDamage: (file: string, error: unknown) => void;
  readonly #days = new Map<number, Day>();
  /** Least recently used first. */
  readonly #open = new Map<number, DayFile>();
  readonly #decoded = new DecodedBlocks();
  /** Days whose file is damaged as a whole. */
  readonly #unreadable = new Set<number>();
  /** Days whose file was not there when it was last looked for. */
  readonly #gone = new Set<number>();
  /** Days of which a part is damaged: the rest can be read. */
  readonly #damaged = new Set<number>();
  #bytes = 0;

  constructor(dataDir: string, days: readonly Day[], blobs: Blobs, onDamage: (file: string, error: unknown) => void) {
    this.#dataDir = dataDir;
    this.#blobs = blobs;
    this.#onDamage = onDamage;
    for (const day of days) this.put(day);
    mkdirSync(join(dataDir, 'day'), { recursive: true });
  }

  /** Of all files. */
  get bytes(): number {
    return this.#bytes;
  }

  has(day: number): boolean {
    return this.#days.has(day);
  }

  get(day: number): Day | undefined {
    return this.#days.get(day);
  }

  days(): IterableIterator<number> {
    return this.#days.keys();
  }

  all(): readonly Day[] {
    return [...this.#days.values()].sort((a, b) => a.day - b.day);
  }

  fileOf(day: Pick<Day, 'day' | 'generation'>): string {
    return dayFileName(this.#dataDir, day.day, day.generation);
  }

  /**
   * What four hours of a series hold as a run; undefined when there is nothing, or it is damaged or gone (which is reported). Of several blocks
   * only those that touch [fromMs, toMs). Throws `store_failed` when the file cannot be read at this moment: less than is there would be
   * taken for all.
   */
  run(day: number, series: SeriesId, block: number, { fromMs, toMs }: Stretch): Run | undefined {
    const known = this.#decoded.get(day, series, block);
    if (known) return known;
    const extents = this.#extents(day, series, block);
    if (extents) {
      const touched = [...extents.keys()].filter((piece) => isTouched(extents[piece] as Extent, fromMs, toMs));
      return mergeRuns(touched.flatMap((piece) => this.#decode(day, series, (file) => file.piece(series, block, piece)) ?? []));
    }
    const run = this.#decode(day, series, (file) => file.block(series, block));
    if (run) this.#decoded.put(day, series, block, run);
    return run;
  }

  /** True when there are so many samples in four hours that they are several blocks. Throws as `run` does. */
  isLong(day: number, series: SeriesId, block: number): boolean {
    return this.#extents(day, series, block) !== undefined;
  }

  /** When its blocks begin and end, for who reads one after the other; a single one may have less. Throws as `run` does. */
  stretches(day: number, series: SeriesId, block: number): readonly Stretch[] {
    const startMs = day * DAY_MS + block * DAY_BLOCK_MS;
    const extents = this.#extents(day, series, block);
    return (
      extents?.map(({ firstMs, lastMs }) => ({ fromMs: firstMs, toMs: lastMs + 1 })) ?? [{ fromMs: startMs, toMs: startMs + DAY_BLOCK_MS }]
    );
  }

  /** False when its file is damaged or gone, or some of it was found damaged so far; all that is reported. */
  isWhole(day: number): boolean {
    return !this.#unreadable.has(day) && !this.#gone.has(day) && !this.#damaged.has(day);
  }

  /** Whether its file is whole and can be opened at this moment. */
  isReadable(day: number): boolean {
    try {
      return this.#file(day) !== undefined && this.isWhole(day);
    } catch (error) {
      if (!(error instanceof DayFileNotNowError)) throw error;
      return false;
    }
  }

  /** Series that have samples in its file, ascending. Throws as `run` does. */
  seriesOf(day: number): SeriesId[] {
    return this.#read(day, (file) => file.series()) ?? [];
  }

  /** A file that the catalogue has just switched to; the handle of an older generation is closed. */
  put(day: Day): void {
    this.#forget(day.day);
    this.#bytes += day.bytes - (this.#days.get(day.day)?.bytes ?? 0);
    this.#days.set(day.day, day);
  }

  /** For who reads beside the engine: the days that count within a range of time, as its catalogue says now. */
  follow(days: readonly Day[], range: TimeRange): void {
    const now = new Map(days.map((day) => [day.day, day]));
    for (const { day, generation, lastSequence } of this.all()) {
      if (day < dayOf(range.from) || day > dayOf(range.to - 1)) continue;
      const same = now.get(day);
      if (same?.generation === generation && same.lastSequence === lastSequence) continue; // a day that was removed begins with generation 1 again
      this.#forget(day);
      this.#days.delete(day);
    }
    for (const day of days) this.#days.set(day.day, day);
  }

  /** Removes a file, unless it is that of a day: a name may have come again. */
  discard(path: string): void {
    if (!this.#paths().has(path)) rmSync(path, { force: true });
  }

  /** Closes a day and counts it no more. Returns the path of its file, which stays. */
  drop(day: number): string | undefined {
    const known = this.#days.get(day);
    this.#forget(day);
    this.#bytes -= known?.bytes ?? 0;
    this.#days.delete(day);
    return known && this.fileOf(known);
  }

  /** Removes what was never finished. Returns the paths of finished files that are of no day: a crash before the switch, or a removal, left them. */
  sweep(): readonly string[] {
    const known = this.#paths();
    const folder = join(this.#dataDir, 'day');
    const strays = readdirSync(folder).filter((file) => !known.has(join(folder, file)) && !isDamagedCopy(file));
    for (const file of strays) if (!dayOfFileName(file)) rmSync(join(folder, file), { recursive: true, force: true });
    return strays.filter((file) => dayOfFileName(file)).map((file) => join(folder, file));
  }

  close(): void {
    for (const file of this.#open.values()) file.close();
    this.#open.clear();
  }

  #paths(): ReadonlySet<string> {
    return new Set([...this.#days.values()].map((day) => this.fileOf(day)));
  }

  #extents(day: number, series: SeriesId, block: number): readonly Extent[] | undefined {
    return this.#read(day, (file) => file.extents(series, block));
  }

  #decode(day: number, series: SeriesId, find: (file: DayFile) => StoredRun | undefined): Run | undefined {
    return this.#read(day, (file) => {
      const stored = find(file);
      const run = stored && this.#blobs.run(series, stored, (id) => file.times(id), day);
      if (stored && !run) this.#damaged.add(day); // which was reported
      return run;
    });
  }

  #read<Result>(day: number, act: (file: DayFile) => Result): Result | undefined {
    const file = this.#file(day);
    const known = this.#days.get(day);
    if (!file || !known) return undefined;
    try {
      return act(file);
    } catch (error) {
      if (!(error instanceof SqliteError || error instanceof CorruptBlockError)) throw error;
      if (isForNow(error)) {
        this.#close(day); // the next question opens it again
        throw notNow(this.fileOf(known), error);
      }
      if (!this.#damaged.has(day)) this.#onDamage(this.fileOf(known), error);
      this.#damaged.add(day);
      return undefined;
    }
  }

  /** Undefined when there is none, or it is damaged or gone. Throws `store_failed` when it cannot be opened at this moment. */
  #file(day: number): DayFile | undefined {
    const known = this.#days.get(day);
    if (!known || this.#unreadable.has(day)) return undefined;
    const open = this.#open.get(day);
    if (open) {
      this.#open.delete(day); // the most recently used goes to the end
      this.#open.set(day, open);
      return open;
    }
    if (this.#gone.has(day) && !isThere(this.fileOf(known))) return undefined;
    return this.#tryToOpen(known);
  }

  #tryToOpen(known: Day): DayFile | undefined {
    const { day } = known;
    const path = this.fileOf(known);
    try {
      const file = new DayFile(path, known);
      this.#gone.delete(day);
      this.#open.set(day, file);
      this.#closeSurplus();
      return file;
    } catch (error) {
      const isGone = !isThere(path);
      if (!isGone && isForNow(error)) throw notNow(path, error);
      this.#onDamage(path, isGone ? new Error('it is gone', { cause: error }) : error);
      (isGone ? this.#gone : this.#unreadable).add(day);
      return undefined;
    }
  }

  #closeSurplus(): void {
    for (const [day, file] of this.#open) {
      if (this.#open.size <= MAX_OPEN) return;
      file.close();
      this.#open.delete(day);
    }
  }

  #close(day: number): void {
    this.#open.get(day)?.close();
    this.#open.delete(day);
  }

  #forget(day: number): void {
    this.#close(day);
    this.#unreadable.delete(day);
    this.#gone.delete(day);
    this.#damaged.delete(day);
    this.#blobs.forget(day);
    this.#decoded.forget(day);
  }
}

/** Whether another try may find the file as it was left. */
function isForNow(error: unknown): boolean {
  const cause = error instanceof GatewayError ? error.cause : error;
  const isOfFile = cause instanceof SqliteError || cause instanceof CorruptBlockError; // else memory ran out, or the like
  return !isOfFile || ['passing', 'unreadable'].includes(faultOfFile(cause));
}

function notNow(path: string, error: unknown): DayFileNotNowError {
  return new DayFileNotNowError('store_failed', `${path} cannot be read now: ${messageOf(error)}`, { cause: error });
}

/** True also where the file system does not say. */
function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return true;
  }
}

function isTouched({ firstMs, lastMs }: Extent, fromMs: number, toMs: number): boolean {
  return firstMs < toMs && lastMs >= fromMs;
}
