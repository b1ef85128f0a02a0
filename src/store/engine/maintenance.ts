/** The engine's work in the background, one short step at a time: sealing, compacting days, sweeping, retention. */
import { GatewayError, isGatewayError } from '../../core/errors.ts';
import type { Sequence, SeriesId } from '../../core/tag.ts';
import { sqliteError } from '../sqlite/database.ts';
import type { RetentionPolicy } from '../telemetry.ts';
import type { Progress } from './catalogue.ts';
import type { OwnLayout } from './compact-job.ts';
import { DayWork } from './day-work.ts';
import { dayOf, dayOfWindow, WINDOW_MS, WINDOWS_PER_DAY } from './grid.ts';
import type { MaintenanceParts } from './maintenance-parts.ts';
import type { OpenWindow } from './open-windows.ts';
import { Removals } from './removals.ts';
import { Retention } from './retention.ts';
import { SealJob } from './seal-job.ts';
import { Settlement } from './settlement.ts';
import { type EngineSizes, statsOf } from './sizes.ts';
import { type Ballast, leastFreeBytes } from './space.ts';
import { SpareSegments } from './spare-segments.ts';
import { Sweep } from './sweep.ts';
import { OPEN_SHARE } from './unsealed-limit.ts';

/** When a step of work ends: with the block that it has begun it keeps commits of new data waiting for some 4 ms. */
const STEP_MS = 3;
/** Samples that come this late still join their window before it is sealed. */
const GRACE_MS = 5_000;
/** Before it no clock was right: then the newest sample tells the time. 2020-01-01. */
const FIRST_CLOCK_MS = Date.UTC(2020, 0);
/** Samples that lie further ahead of the clock are strays of a wrong one: their windows are sealed when others are. */
const STRAY_MS = 3_600_000;
/** A plant has a few windows open; a backfill has many, and each costs memory. */
const MAX_OPEN_WINDOWS = 256;
/** Late samples wait this long for others of their window. */
const LATE_REST_MS = 300_000;
/** Half of what the log may have: beyond, windows are sealed early to give segments back. */
const MAX_LIVE_SEGMENTS = 32;
/** After a failure for want of space. */
const RETRY_MS = 5_000;
/** How often the room of the file system is looked at while samples come: at 4 M samples a second, some 4 MB go by between two looks. */
const LOOK_MS = 250;

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

export class Maintenance {
  readonly layout: OwnLayout;
  readonly #house: MaintenanceParts;
  readonly #frozen = new Map<number, OpenWindow>();
  /** Series whose definition is in the log alone, and that no job is to save. */
  readonly #unsavedDefinitions = new Set<SeriesId>();
  #seal: SealJob | undefined;
  readonly #days: DayWork;
  #progress: Progress;
  /** Of windows that may have chunks which count no more. */
  readonly #sweeps: Sweep[];
  #restUntilMs = 0;
  #lateSinceMs: number | undefined;
  #failure: GatewayError | undefined;
  readonly #removals: Removals;
  readonly #ballast: Ballast;
  #isPaused = false;
  /** When the room of the file system is looked at again, and what was seen. */
  #lookMs = 0;
  #isFull = false;
  #freeBytes = 0;
  readonly #settlement: Settlement;
  readonly #spare: SpareSegments;

  constructor(house: MaintenanceParts) {
    this.#house = house;
    const { catalogue, blobs, parts, days, rollupDays, open, clock, ballast } = house;
    this.layout = { catalogue, blobs, parts, days, rollupDays, frozen: this.#frozen, open };
    this.#settlement = new Settlement(house);
    this.#spare = new SpareSegments(house.wal, clock);
    for (const path of days.sweep()) this.#settlement.discard(path, 'a stray day file');
    this.#removals = new Removals(house, new Retention(this.layout, clock, house.isClockTrusted), {
      settlement: this.#settlement,
      spare: this.#spare,
      progress: () => this.#progress,
      setGone: (gone) => {
        this.#progress = { ...this.#progress, gone };
      },
      dropped: (day) => {
        this.#days.removed(day);
        this.#sweepDay(day);
      },
    });
    const [layout, removals, settlement] = [this.layout, this.#removals, this.#settlement];
    this.#days = new DayWork({ house, layout, removals, settlement, sweep: (day) => this.#sweepDay(day) });
    this.#ballast = ballast;
    this.#progress = catalogue.progress();
    this.#sweeps = [new Sweep(catalogue, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)]; // what a crash may have left
  }

  get progress(): Progress {
    return this.#progress;
  }

  /** The first record of an empty store has this sequence: nothing before it is missing. Throws `store_failed` or `disk_full`. */
  startAt(sequence: Sequence): void {
    const progress = { ...this.#progress, next: sequence, kept: sequence };
    this.#house.catalogue.commit('starting the store', () => this.#house.catalogue.setProgress(progress));
    this.#progress = progress;
  }

  /** The windows that are being sealed. */
  get frozen(): Iterable<OpenWindow> {
    return this.#frozen.values();
  }

  /** Whether samples that are not sealed take more memory than they may. */
  get #isFullUp(): boolean {
    let frozenBytes = 0;
    for (const window of this.#frozen.values()) frozenBytes += window.bytes;
    return this.#house.open.takesMoreThan(this.#house.maxUnsealedBytes - frozenBytes);
  }

  /** Why nothing more is taken. */
  refusal(): GatewayError {
    return this.#failure ?? new GatewayError('overloaded', 'samples come faster than they can be sealed');
  }

  /**
   * While the log is shown: seals what takes too much memory, all of which came in before `next`, the start of a frame. Throws `store_failed` or
   * `disk_full` when that fails and no more may be taken into memory; before, it is left to the steps in the background.
   */
  relieve(next: Sequence): void {
    if (!this.#seal && this.#isCrowded) this.#freeze(this.#house.open.numbers(), next);
    if (!this.#seal || (this.#failure && !this.#isFullUp)) return;
    try {
      while (this.#seal) this.#sealOn(this.#seal, () => false);
      this.#failure = undefined;
    } catch (error) {
      const failure = sqliteError(error, 'sealing while the log is read');
      if (failure.code === 'disk_full' && this.#ballast.release()) return;
      if (this.#isFullUp) throw failure;
      this.#failure = failure;
    }
  }

  defined(series: SeriesId): void {
    this.#unsavedDefinitions.add(series);
  }

  /** One step; true when there is more to do at once. Throws what a failed step brings, and rests then. */
  step(policy: RetentionPolicy, newestMs: number): boolean {
    const { clock } = this.#house;
    const startMs = clock.monotonicMs();
    if (this.#isPaused || startMs < this.#restUntilMs) return false;
    const isOver = () => clock.monotonicMs() - startMs > STEP_MS;
    try {
      const more = this.#work(policy, newestMs, isOver);
      this.#failure = undefined;
      return more;
    } catch (error) {
      this.#days.abandon();
      if (isGatewayError(error, 'disk_full') && this.#ballast.release()) return true;
      this.#restUntilMs = startMs + RETRY_MS;
      if (isGatewayError(error)) this.#failure = error;
      throw error;
    }
  }

  /**
   * Before new samples are taken. Throws when they cannot be: `overloaded` or why sealing fails while too much waits in memory,
   * `disk_full` while the file system has less room than a quarter of the reserve and nothing is left that may go.
   */
  admit(policy: RetentionPolicy): void {
    if (this.#isFullUp) throw this.refusal();
    const leastBytes = leastFreeBytes(policy);
    const nowMs = this.#house.clock.monotonicMs();
    if (leastBytes === 0) return;
    if (nowMs >= this.#lookMs) {
      this.#lookMs = nowMs + LOOK_MS;
      if (this.#house.freeBytes() < leastBytes && !this.#isPaused) {
        if (this.#settlement.isAwaited) this.#settle();
        while (this.#house.freeBytes() < leastBytes && this.#removals.makeRoom(policy));
      }
      const freeBytes = this.#house.freeBytes();
      this.#isFull = freeBytes < leastBytes;
      this.#freeBytes = freeBytes;
    }
    if (!this.#isFull) return;
    const room = `${mebibytes(this.#freeBytes)} are free, a quarter of the reserve is ${mebibytes(leastBytes)}`;
    throw new GatewayError('disk_full', `${room}, and nothing is left that may be removed`);
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** While paused nothing that is sealed moves or goes: for a copy of it. */
  pause(): void {
    this.#days.abandon();
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
  }

  stats(): EngineSizes {
    return statsOf(this.#house, [...this.#frozen.values(), ...this.#house.open.all()]);
  }

  close(): void {
    this.#days.abandon();
    this.#ballast.abandon();
    this.#house.days.close();
  }

  #work(policy: RetentionPolicy, newestMs: number, isOver: () => boolean): boolean {
    this.#spare.watch();
    if (this.#settlement.isAwaited) this.#settle();
    if (this.#house.catalogue.isCheckpointDue) this.#house.catalogue.checkpoint();
    if (this.#removals.makeRoom(policy)) return true;
    if (this.#seal) return this.#sealOn(this.#seal, isOver);
    if (this.#settlement.isDue && this.#settle()) return true;
    if (this.#startSeal(newestMs)) return true;
    if (this.#days.isBusy) {
      this.#days.step(isOver);
      return true;
    }
    const sweep = this.#sweeps[0];
    if (sweep) {
      if (sweep.step()) return true;
      this.#sweeps.shift();
    }
    const today = dayOf(Math.min(newestMs, this.#house.clock.now()) - GRACE_MS - WINDOW_MS);
    if (this.#removals.expire(policy) || this.#days.start(policy, today)) return true;
    return this.#spare.trim() || this.#ballast.restore(policy, this.#house.freeBytes());
  }

  // ── sealing ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Freezes what is due. */
  #startSeal(newestMs: number): boolean {
    const { wal } = this.#house;
    const due = this.#due(newestMs);
    if (due.length === 0) return false;
    wal.sync(); // ends the frame: each one lies wholly before or wholly behind what is sealed
    this.#freeze(due, wal.next);
    return true;
  }

  /** All that came in for these windows came before `next`. */
  #freeze(due: readonly number[], next: Sequence): void {
    const { open, hook } = this.#house;
    const windows = due.flatMap((window) => open.take(window) ?? []);
    for (const window of windows) this.#frozen.set(window.window, window);
    hook?.('frozen', 'windows');
    this.#lateSinceMs = undefined;
    this.#seal = new SealJob(windows, next, [...this.#unsavedDefinitions], this.#house);
    this.#unsavedDefinitions.clear();
  }

  get #isCrowded(): boolean {
    const { open, maxUnsealedBytes } = this.#house;
    return open.takesMoreThan(OPEN_SHARE * maxUnsealedBytes);
  }

  #due(newestMs: number): number[] {
    const { open, wal, clock } = this.#house;
    if (open.size === 0) return [];
    const numbers = open.numbers();
    const crowded = this.#isCrowded || wal.stats.liveSegments > MAX_LIVE_SEGMENTS;
    if (crowded) return numbers;
    const nowMs = clock.now();
    const presentMs = nowMs < FIRST_CLOCK_MS ? newestMs : nowMs; // one sample from the future must not make the present due
    const over = numbers.filter((window) => (window + 1) * WINDOW_MS <= presentMs - GRACE_MS);
    const past = [...over, ...numbers.filter((window) => window * WINDOW_MS > presentMs + STRAY_MS)];
    if (past.length === 0) return [];
    const fresh = over.some((window) => this.layout.parts.of(window).length === 0 && !this.layout.days.has(dayOfWindow(window)));
    this.#lateSinceMs ??= clock.monotonicMs();
    const rested = clock.monotonicMs() - this.#lateSinceMs >= LATE_REST_MS;
    return fresh || rested || open.size > MAX_OPEN_WINDOWS ? past : [];
  }

  #sealOn(job: SealJob, isOver: () => boolean): boolean {
    if (!job.step(isOver)) return true;
    const { catalogue, parts, open } = this.#house;
    const next = Math.max(this.#progress.next, job.sealedTo) as Sequence; // while the log is shown there may be more behind
    const progress = { ...this.#progress, next, kept: open.oldestSequence() ?? job.sealedTo };
    catalogue.commit('sealing windows', () => {
      for (const part of job.parts()) catalogue.putPart(part);
      catalogue.setProgress(progress);
    });
    this.#progress = progress;
    for (const part of job.parts()) parts.add(part);
    this.#frozen.clear();
    this.#seal = undefined;
    this.#days.sealed(new Set(job.windows.map(({ window }) => dayOfWindow(window))));
    this.#settlement.request();
    return true;
  }

  #settle(): boolean {
    return this.#settlement.settle(this.#progress.kept);
  }

  #sweepDay(day: number): void {
    this.#sweeps.push(new Sweep(this.#house.catalogue, day * WINDOWS_PER_DAY, (day + 1) * WINDOWS_PER_DAY));
  }
}
