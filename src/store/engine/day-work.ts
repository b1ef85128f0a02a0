/** What is done to days in the background, one short step at a time: their compaction into files, and the rollups of these. */
import { GatewayError } from '../../core/errors.ts';
import type { RetentionPolicy } from '../telemetry.ts';
import { CompactJob, type OwnLayout } from './compact-job.ts';
import { dayOfWindow } from './grid.ts';
import type { MaintenanceParts } from './maintenance-parts.ts';
import { OpenWindows } from './open-windows.ts';
import type { Removals } from './removals.ts';
import { RollupJob } from './rollup-job.ts';
import type { Settlement } from './settlement.ts';
import { leastFreeBytes } from './space.ts';

/** A day is compacted when its last window is sealed, and again when a window of it was sealed so often for late samples. */
const MAX_LATE_SEALS = 8;
/** More than twice what the file of a day and its rollups take in a mixture of plant data. */
const FILE_BYTES_PER_ROW = 2;

export interface DayWorkParts {
  readonly house: MaintenanceParts;
  readonly layout: OwnLayout;
  readonly removals: Removals;
  readonly settlement: Settlement;
  /** The chunks of a day count no longer. */
  readonly sweep: (day: number) => void;
}

export class DayWork {
  readonly #with: DayWorkParts;
  /** What is sealed, and nothing else. */
  readonly #sealed: OwnLayout;
  #compact: CompactJob | undefined;
  #rollup: RollupJob | undefined;
  /** Days that have a file and not all its rollups. */
  readonly #bare: Set<number>;
  /** Days of which no file can be made, or something cannot be read: what is left of them is not to replace them. */
  readonly #leftAlone = new Set<number>();

  constructor(parts: DayWorkParts) {
    const { days, rollupDays } = parts.house;
    this.#with = parts;
    this.#sealed = { ...parts.layout, frozen: new Map(), open: new OpenWindows() };
    this.#bare = new Set([...days.days()].filter((day) => !rollupDays.has(day)));
  }

  /** A job is begun. */
  get isBusy(): boolean {
    return this.#compact !== undefined || this.#rollup !== undefined;
  }

  /** Goes on with what is begun. Throws `store_failed` or `disk_full`: then it is to be abandoned. */
  step(isOver: () => boolean): void {
    if (this.#compact) this.#compactOn(this.#compact, isOver);
    else if (this.#rollup) this.#rollOn(this.#rollup, isOver);
  }

  /** Begins with a day of those before `today`: one that is over, one that was sealed too often since, one without rollups. True when it did something. */
  start(policy: RetentionPolicy, today: number): boolean {
    return this.#startCompact(policy, today) || this.#startRollup();
  }

  /** What a job of these days knows of them holds no longer: more was sealed. */
  sealed(days: ReadonlySet<number>): void {
    if (this.#compact && days.has(this.#compact.day)) this.abandon();
  }

  /** A day's samples are gone. */
  removed(day: number): void {
    if (this.#compact?.day === day || this.#rollup?.day === day) this.abandon();
    this.#bare.delete(day);
  }

  /** Gives up what is begun; it is begun anew some time. */
  abandon(): void {
    this.#compact?.abandon();
    this.#compact = undefined;
    this.#rollup = undefined;
  }

  #startCompact(policy: RetentionPolicy, today: number): boolean {
    const { house, removals } = this.#with;
    const { parts, open, siblings, definitions, hook, maxBlockSamples } = house;
    const busy = new Set(open.numbers().map(dayOfWindow)); // what is unsealed of a day must have come after all that its file holds
    const due = [...parts.days()].filter((day) => day < today && !busy.has(day) && this.#isWorthCompacting(day)).sort((a, b) => a - b)[0];
    if (due === undefined) return false;
    const neededBytes = this.#roomFor(policy, due);
    if (house.freeBytes() < neededBytes) return removals.makeRoomForFile(neededBytes, due);
    this.#compact = new CompactJob(this.#sealed, due, { siblings, definitions, hook, maxBlockSamples });
    return true;
  }

  /** A file is written beside what it replaces. That must not eat into what is needed for new samples. */
  #roomFor(policy: RetentionPolicy, day: number): number {
    const { parts, days } = this.#with.house;
    const rows = parts.rowsOf(day) + (days.get(day)?.rows ?? 0);
    return policy.reserveBytes ? leastFreeBytes(policy) + rows * FILE_BYTES_PER_ROW : 0;
  }

  #isWorthCompacting(day: number): boolean {
    const { parts, days } = this.#with.house;
    if (this.#leftAlone.has(day)) return false;
    if (!days.has(day)) return true;
    if (!days.isReadable(day)) return false; // what cannot be read now is not replaced by what is left of it
    const late = parts.rowsOf(day);
    const crowded = [...parts.windowsOf(day)].some((window) => parts.sealsOf(window) >= MAX_LATE_SEALS);
    return crowded || late * 100 > (days.get(day)?.rows ?? 0);
  }

  #compactOn(job: CompactJob, isOver: () => boolean): void {
    const isDone = this.#tryOn(job, isOver);
    const { house, settlement, sweep } = this.#with;
    const { days, parts, rollupDays } = house;
    if (!job.isWhole) this.#leaveAlone(job.day, new Error('it is left as it is, because not all of it can be read'));
    if (this.#leftAlone.has(job.day)) return;
    if (!isDone) return;
    const before = days.get(job.day);
    const { day, rollupDay } = job.finish();
    this.#compact = undefined;
    parts.dropDay(job.day);
    days.put(day);
    if (rollupDay) rollupDays.put(rollupDay);
    else {
      rollupDays.drop(job.day);
      this.#bare.add(job.day);
      this.#rollup = new RollupJob(this.#sealed, job.day, job.rollups);
    }
    if (before) settlement.discard(days.fileOf(before), 'a replaced day file');
    sweep(job.day);
    settlement.request();
  }

  /** What is wrong with a day and not with the disk does not keep other days from their files: samples that cannot be coded. */
  #tryOn(job: CompactJob, isOver: () => boolean): boolean {
    try {
      return job.step(isOver);
    } catch (error) {
      if (!(error instanceof GatewayError && error.cause instanceof RangeError)) throw error;
      this.#leaveAlone(job.day, new Error(`it is left in its parts: ${error.message}`, { cause: error }));
      return false;
    }
  }

  #leaveAlone(day: number, why: Error): void {
    this.abandon();
    this.#leftAlone.add(day);
    this.#with.house.report(`day ${day}`, why);
  }

  /** The youngest day first: it is asked for the most. */
  #startRollup(): boolean {
    const { days } = this.#with.house;
    const day = [...this.#bare].sort((a, b) => b - a).find((each) => !days.isWhole(each) || days.isReadable(each)); // else it is tried later
    if (day === undefined) return false;
    this.#rollup = new RollupJob(this.#sealed, day);
    return true;
  }

  #rollOn(job: RollupJob, isOver: () => boolean): void {
    const row = job.step(isOver);
    if (!row && job.isWhole) return;
    this.#rollup = undefined;
    this.#bare.delete(job.day); // also when it is damaged, which was reported: it is folded from its samples
    if (!row) return;
    this.#with.house.rollupDays.put(row);
    this.#with.settlement.request();
  }
}
