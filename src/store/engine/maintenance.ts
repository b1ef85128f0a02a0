/** The engine's work in the background, one short step at a time: sealing, compacting days, sweeping, retention. */
import type { Clock } from '../../core/clock.ts';
import { GatewayError, isGatewayError } from '../../core/errors.ts';
import type { Sequence, SeriesDef, SeriesId } from '../../core/tag.ts';
import type { UnixMs } from '../../core/time.ts';
import type { RetentionPolicy } from '../telemetry.ts';
import type { Blobs } from './blobs.ts';
import type { Catalogue, Progress } from './catalogue.ts';
import { CompactJob, type OwnLayout } from './compact-job.ts';
import type { DayFiles } from './day-files.ts';
import { DAY_MS, dayOf, dayOfWindow, WINDOW_MS, WINDOWS_PER_DAY } from './grid.ts';
import type { LatestSamples } from './latest.ts';
import { type OpenWindow, OpenWindows } from './open-windows.ts';
import type { PartIndex } from './part-index.ts';
import { SealJob } from './seal-job.ts';
import type { Siblings } from './siblings.ts';
import type { Wal } from './wal/log.ts';

/** A step of work: commits of new data wait no longer than this. */
const STEP_MS = 4;
/** Samples that come this late still join their window before it is sealed. */
const GRACE_MS = 5_000;
/** Heads of about 100 MB: then the windows are sealed as they are, in parts. */
const MAX_OPEN_ROWS = 4_000_000;
/** A plant has a few windows open; a backfill has many, and each costs memory. */
const MAX_OPEN_WINDOWS = 256;
/** Late samples wait this long for others of their window. */
const LATE_REST_MS = 300_000;
/** A day is compacted when its last window is sealed, and again when this many parts have come late for a window of it. */
const MAX_LATE_PARTS = 8;
/** Half of what the log may have: beyond, windows are sealed early to give segments back. */
const MAX_LIVE_SEGMENTS = 32;
/** After a failure for want of space. */
const RETRY_MS = 5_000;

export interface MaintenanceParts {
  readonly catalogue: Catalogue;
  readonly blobs: Blobs;
  readonly parts: PartIndex;
  readonly days: DayFiles;
  readonly open: OpenWindows;
  readonly latest: LatestSamples;
  readonly definitions: ReadonlyMap<SeriesId, SeriesDef>;
  readonly siblings: Siblings;
  readonly wal: Wal;
  readonly segmentBytes: number;
  readonly clock: Clock;
}

export class Maintenance {
  readonly layout: OwnLayout;
  readonly #house: MaintenanceParts;
  readonly #frozen = new Map<number, OpenWindow>();
  /** Series whose definition is in the log alone. */
  readonly #unsavedDefinitions = new Set<SeriesId>();
  #seal: SealJob | undefined;
  #compact: CompactJob | undefined;
  #progress: Progress;
  /** Windows whose swept chunks may be left: from, to. */
  readonly #sweeps: [number, number][];
  #restUntilMs = 0;
  #lateSinceMs: number | undefined;
  #failure: GatewayError | undefined;

  constructor(house: MaintenanceParts) {
    this.#house = house;
    const { catalogue, blobs, parts, days, open } = house;
    this.layout = { catalogue, blobs, parts, days, frozen: this.#frozen, open };
    this.#progress = catalogue.progress();
    this.#sweeps = [[Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]]; // what a crash may have left
  }

  get progress(): Progress {
    return this.#progress;
  }

  /** The first record of an empty store has this sequence: nothing before it is missing. Throws `store_failed` or `disk_full`. */
  startAt(sequence: Sequence): void {
    this.#house.catalogue.commit('starting the store', () => this.#house.catalogue.setSealed(sequence, sequence));
    this.#progress = { ...this.#progress, next: sequence, kept: sequence };
  }

  /** The windows that are being sealed. */
  get frozen(): Iterable<OpenWindow> {
    return this.#frozen.values();
  }

  get unsealedRows(): number {
    let rows = this.#house.open.rows;
    for (const window of this.#frozen.values()) rows += window.rows;
    return rows;
  }

  /** Why nothing more is taken. */
  refusal(): GatewayError {
    return this.#failure ?? new GatewayError('overloaded', 'samples come faster than they can be sealed');
  }

  defined(series: SeriesId): void {
    this.#unsavedDefinitions.add(series);
  }

  /** One step; true when there is more to do at once. Throws what a failed step brings, and rests then. */
  step(retention: RetentionPolicy, newestMs: number): boolean {
    const { clock } = this.#house;
    const startMs = clock.monotonicMs();
    if (startMs < this.#restUntilMs) return false;
    const isOver = () => clock.monotonicMs() - startMs > STEP_MS;
    try {
      const more = this.#work(retention, newestMs, isOver);
      this.#failure = undefined;
      return more;
    } catch (error) {
      this.#restUntilMs = startMs + RETRY_MS;
      if (isGatewayError(error)) this.#failure = error;
      this.#abandonCompaction();
      throw error;
    }
  }

  /** A sample that came again after its window had been sealed counts twice until its day is compacted. */
  sizes(): { readonly samples: number; readonly fileBytes: number; readonly oldestMs: UnixMs | null } {
    const { days, parts, catalogue, wal, open } = this.#house;
    const sealed = [...days.all(), ...parts.all()];
    const unsealed = [...this.#frozen.values(), ...open.all()];
    const samples = sealed.reduce((sum, { rows }) => sum + rows, 0) + unsealed.reduce((sum, window) => sum + window.samples, 0);
    const { liveSegments, freeSegments } = wal.stats;
    const fileBytes =
      days.all().reduce((sum, { bytes }) => sum + bytes, 0) + catalogue.bytes() + (liveSegments + freeSegments) * this.#house.segmentBytes;
    const oldest = [...sealed, ...unsealed].reduce((least, { oldestMs }) => Math.min(least, oldestMs), Number.POSITIVE_INFINITY);
    return { samples, fileBytes, oldestMs: Number.isFinite(oldest) ? (oldest as UnixMs) : null };
  }

  close(): void {
    this.#abandonCompaction();
    this.#house.days.close();
  }

  #work(retention: RetentionPolicy, newestMs: number, isOver: () => boolean): boolean {
    if (this.#seal) return this.#sealOn(this.#seal, isOver);
    if (this.#startSeal(newestMs)) return true;
    if (this.#compact) return this.#compactOn(this.#compact, isOver);
    const sweep = this.#sweeps[0];
    if (sweep) {
      if (this.#house.catalogue.sweep(...sweep)) return true;
      this.#sweeps.shift();
    }
    return this.#expire(retention, newestMs) || this.#startCompact(newestMs);
  }

  // ── sealing ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Freezes what is due. */
  #startSeal(newestMs: number): boolean {
    const { open, wal } = this.#house;
    const due = this.#due(newestMs);
    if (due.length === 0) return false;
    wal.sync(); // ends the frame: each one lies wholly before or wholly behind what is sealed
    const windows = due.flatMap((window) => open.take(window) ?? []);
    for (const window of windows) this.#frozen.set(window.window, window);
    this.#lateSinceMs = undefined;
    this.#seal = new SealJob(windows, wal.next, this.#house);
    return true;
  }

  #due(newestMs: number): number[] {
    const { open, wal, clock } = this.#house;
    if (open.size === 0) return [];
    const numbers = open.numbers();
    const crowded = open.rows > MAX_OPEN_ROWS || wal.stats.liveSegments > MAX_LIVE_SEGMENTS;
    if (crowded) return numbers;
    const edgeMs = Math.max(newestMs, clock.now()) - GRACE_MS;
    const past = numbers.filter((window) => (window + 1) * WINDOW_MS <= edgeMs);
    if (past.length === 0) return [];
    const fresh = past.some((window) => this.layout.parts.of(window).length === 0 && !this.layout.days.has(dayOfWindow(window)));
    this.#lateSinceMs ??= clock.monotonicMs();
    const rested = clock.monotonicMs() - this.#lateSinceMs >= LATE_REST_MS;
    return fresh || rested || open.size > MAX_OPEN_WINDOWS ? past : [];
  }

  #sealOn(job: SealJob, isOver: () => boolean): boolean {
    if (!job.step(isOver)) return true;
    const { catalogue, latest, parts, definitions, open, wal } = this.#house;
    wal.sync(); // the newest samples are saved beside: none may be there that the log can still lose
    const kept = open.oldestSequence() ?? job.sealedTo;
    catalogue.commit('sealing windows', () => {
      for (const series of this.#unsavedDefinitions) catalogue.putDefinition(series, definitions.get(series) as SeriesDef);
      for (const part of job.parts()) catalogue.putPart(part);
      for (const row of latest.unsaved()) catalogue.latest.put(row);
      catalogue.setSealed(job.sealedTo, kept);
    });
    this.#progress = { ...this.#progress, next: job.sealedTo, kept };
    this.#unsavedDefinitions.clear();
    latest.saved();
    for (const part of job.parts()) parts.add(part);
    this.#frozen.clear();
    this.#seal = undefined;
    const days = new Set(job.windows.map(({ window }) => dayOfWindow(window)));
    if (this.#compact && days.has(this.#compact.day)) this.#abandonCompaction(); // it does not know the new parts
    catalogue.checkpoint();
    wal.release(kept);
    return true;
  }

  // ── days ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A day that is over, or one with too many late parts. */
  #startCompact(newestMs: number): boolean {
    const { parts, open, clock, siblings } = this.#house;
    const today = dayOf(Math.min(newestMs, clock.now()) - GRACE_MS - WINDOW_MS);
    const busy = new Set(open.numbers().map(dayOfWindow)); // what is unsealed of a day must have come after all that its file holds
    const due = [...parts.days()].filter((day) => day < today && !busy.has(day) && this.#isWorthCompacting(day)).sort((a, b) => a - b)[0];
    if (due === undefined) return false;
    const sealed: OwnLayout = { ...this.layout, frozen: new Map(), open: new OpenWindows() };
    this.#compact = new CompactJob(sealed, siblings, due);
    return true;
  }

  #abandonCompaction(): void {
    this.#compact?.abandon();
    this.#compact = undefined;
  }

  #isWorthCompacting(day: number): boolean {
    const { parts, days } = this.#house;
    if (!days.has(day)) return true;
    if (!days.isReadable(day)) return false; // what cannot be read now is not replaced by what is left of it
    const late = parts.rowsOf(day);
    const crowded = [...parts.windowsOf(day)].some((window) => parts.of(window).length >= MAX_LATE_PARTS);
    return crowded || late * 100 > (days.get(day)?.rows ?? 0);
  }

  #compactOn(job: CompactJob, isOver: () => boolean): boolean {
    if (!job.step(isOver)) return true;
    const { days, parts, catalogue } = this.#house;
    const before = days.get(job.day);
    if (before && !days.isReadable(job.day)) {
      this.#abandonCompaction(); // some of the file could not be taken over
      return true;
    }
    const day = job.finish();
    this.#compact = undefined;
    parts.dropDay(job.day);
    days.put(day);
    if (before) days.discard(before);
    this.#sweepDay(job.day);
    catalogue.checkpoint();
    return true;
  }

  #sweepDay(day: number): void {
    this.#sweeps.push([day * WINDOWS_PER_DAY, (day + 1) * WINDOWS_PER_DAY]);
  }

  /** Removes the oldest day that is wholly too old; true when it did. */
  #expire({ maxAgeMs }: RetentionPolicy, newestMs: number): boolean {
    if (maxAgeMs === undefined || !Number.isFinite(newestMs)) return false;
    const { days, parts, open, catalogue, latest, wal, clock } = this.#house;
    const firstKept = dayOf(Math.min(newestMs, clock.now()) - maxAgeMs); // a sample from the future must not sweep out the present
    const known = [...days.days(), ...parts.days(), ...open.numbers().map(dayOfWindow)];
    const oldest = known.reduce((least, day) => Math.min(least, day), Number.POSITIVE_INFINITY);
    if (oldest >= firstKept) return false;
    wal.sync(); // ends the frame: each one lies wholly before or wholly behind what is removed
    const gone = { beforeMs: Math.max(firstKept * DAY_MS, this.#progress.gone.beforeMs), sequence: wal.next };
    catalogue.commit('removing a day', () => {
      catalogue.removeDay(oldest);
      catalogue.removeParts(oldest);
      catalogue.setGone(gone);
      catalogue.latest.removeBefore(gone.beforeMs);
    });
    latest.dropBefore(gone.beforeMs);
    this.#progress = { ...this.#progress, gone };
    for (const window of open.numbers()) if (dayOfWindow(window) === oldest) open.take(window);
    parts.dropDay(oldest);
    days.drop(oldest);
    this.#sweepDay(oldest);
    return true;
  }
}
