/** One producer's way in: checks, scales, judges the time, leaves out what has not changed, pushes, and books every reading. */
import type { Emit, EmitTag, RejectReason } from '../core/emit.ts';
import { MAX_INLINE_BYTES, type Ring, textSlots } from '../core/ring.ts';
import { BAD_NO_COMMUNICATION, BAD_OUT_OF_RANGE, isBad, type StatusCode, UNCERTAIN_CLOCK } from '../core/status.ts';
import { ID_PATTERN, MAX_TEXT_LENGTH, type Sequence, type SeriesId, TAG_NAME_PATTERN, type ValueType } from '../core/tag.ts';
import { MAX_AHEAD_MS, MAX_TIME_MS, MIN_TIME_MS, type UnixMs } from '../core/time.ts';
import type { TagRef } from '../drivers/driver.ts';
import type { Account } from './ledger.ts';
import type { Pipeline } from './pipeline.ts';
import type { Entry } from './tag-table.ts';

/** A definition may change its value type between `series` and the first value: a few bytes more. */
const DEFINITION_SLACK_BYTES = 16;
/** A record never lies across the end of the ring; what is left there is lost to the one that does not fit. */
const PAD_SLOTS = textSlots(MAX_INLINE_BYTES);
/** As in every driver's schema; a definition with such a unit surely rides inside the ring. */
const MAX_UNIT_LENGTH = 64;

/** The part of the ring that computed readings may fill. */
const COMPUTED_SHARE = 3 / 4;

export interface DoorOptions {
  readonly pipeline: Pipeline;
  readonly account: Account;
  readonly source: string;
  readonly tenant: string;
  /** Tenants that a reading may name. */
  readonly isTenant: (tenant: string) => boolean;
  /** The latest time that is believed of a reading; asked only for one that lies MAX_AHEAD_MS ahead of the box. */
  readonly latestMs: () => UnixMs;
  /** True for what is computed: it leaves a quarter of the ring to what comes from outside. */
  readonly yields?: boolean;
}

export class Door implements Emit {
  readonly #pipeline: Pipeline;
  readonly #account: Account;
  readonly #options: DoorOptions;
  #open = true;
  /** Series resolved but not yet defined in the ring. */
  readonly #undefined = new Set<SeriesId>();
  /** Slots of the widest definition so far. */
  #definitionSlots = 0;
  /** What the last reservation asked for. */
  #wantedSlots = 0;
  /** Set by #timeOf: the reading's own time was beyond belief. */
  #ahead = false;
  /** Set by #timeOf: the reading has the box's time, not one of its own. */
  #stamped = false;

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#pipeline = options.pipeline;
    this.#account = options.account;
  }

  /** From now on readings are counted as dropped: the run they belong to is over. */
  close(): void {
    this.#open = false;
  }

  series(tag: EmitTag): SeriesId | undefined {
    const { source, tenant, isTenant } = this.#options;
    if (tag.tenant !== undefined && !isTenant(tag.tenant)) return this.#refuse('unknown_tenant');
    if (!ID_PATTERN.test(tag.asset) || !TAG_NAME_PATTERN.test(tag.tag)) return this.#refuse('invalid_tag');
    if (tag.unit !== undefined && tag.unit.length > MAX_UNIT_LENGTH) return this.#refuse('invalid_tag');
    const entry = this.#pipeline.tags.resolve({ ...tag, tenant: tag.tenant ?? tenant, source });
    if (!entry) return this.#refuse('series_limit');
    if (!entry.defined) {
      this.#undefined.add(entry.id);
      const slots = textSlots(Buffer.byteLength(JSON.stringify(entry.def)) + DEFINITION_SLACK_BYTES);
      this.#definitionSlots = Math.max(this.#definitionSlots, slots);
    }
    return entry.id;
  }

  /** Counts with a definition before each record as long as series are undefined, not with those of series left out this time. */
  reserve(records: number, textBytes = 0): boolean {
    const texts = textBytes > 0 ? records + textSlots(textBytes) : 0;
    const definitions = Math.min(records, this.#undefined.size) * this.#definitionSlots;
    this.#wantedSlots = records + texts + definitions + PAD_SLOTS;
    return this.#pipeline.ring.hasRoom(this.#wantedSlots);
  }

  room(signal: AbortSignal): Promise<void> {
    return this.#pipeline.room(signal, this.#wantedSlots);
  }

  number(series: SeriesId, timeMs: UnixMs | undefined, value: number, status: StatusCode): void {
    const entry = this.#receive(series);
    if (entry) this.#scaled(entry, timeMs, value, status);
  }

  boolean(series: SeriesId, timeMs: UnixMs | undefined, value: boolean, status: StatusCode): void {
    const entry = this.#receive(series);
    if (entry) this.#numeric(entry, timeMs, value ? 1 : 0, status, 'bool');
  }

  integer(series: SeriesId, timeMs: UnixMs | undefined, value: bigint, signed: boolean, status: StatusCode): void {
    const entry = this.#receive(series);
    if (!entry) return;
    if (entry.scaled) this.#scaled(entry, timeMs, Number(value), status);
    else this.#wide(entry, timeMs, value, status, signed ? 'i64' : 'u64');
  }

  text(series: SeriesId, timeMs: UnixMs | undefined, value: string, status: StatusCode): void {
    const entry = this.#receive(series);
    if (!entry) return;
    if (value.length > MAX_TEXT_LENGTH) this.#account.reject('too_long');
    else this.#wide(entry, timeMs, value.isWellFormed() ? value : value.toWellFormed(), status, 'string');
  }

  missing(series: SeriesId, timeMs: UnixMs | undefined, status: StatusCode): void {
    const entry = this.#receive(series);
    if (entry) this.#nothing(entry, timeMs, status);
  }

  rejected(reason: RejectReason): void {
    this.#account.received++;
    this.#account.reject(reason);
  }

  sequence(): Sequence {
    return this.#pipeline.ring.head;
  }

  durable(sequence: Sequence, signal: AbortSignal): Promise<void> {
    return this.#pipeline.durable(sequence, signal);
  }

  /** The link is down, or only tags that do not go on are gone: each of their series gets one bad sample, unless it has it already. */
  lost(goesOn: (tag: TagRef) => boolean = () => false): void {
    for (const entry of this.#pipeline.tags.ofSource(this.#options.source)) {
      if (goesOn({ assetId: entry.def.asset, tagName: entry.def.tag })) continue;
      if (entry.lost || entry.lastMs === Number.NEGATIVE_INFINITY) continue;
      this.#account.received++;
      this.#nothing(entry, this.#deviceTime(entry), BAD_NO_COMMUNICATION);
    }
  }

  /**
   * What the device's clock would show now: the time of its newest reading and what has passed since that came in. With
   * the box's own time, all that a device whose clock lags sends after the loss would be older than the loss.
   */
  #deviceTime({ lastMs, arrivedMs }: Entry): UnixMs {
    const { nowMs } = this.#pipeline;
    const passedMs = arrivedMs === undefined ? nowMs - lastMs : nowMs - arrivedMs;
    return (lastMs + Math.max(1, passedMs)) as UnixMs;
  }

  #refuse(reason: RejectReason): undefined {
    this.rejected(reason);
    return undefined;
  }

  #receive(series: SeriesId): Entry | undefined {
    this.#account.received++;
    if (!this.#open) {
      this.#account.drop('closed');
      return undefined;
    }
    const entry = this.#pipeline.tags.entry(series);
    if (!entry) throw new RangeError(`series ${series} did not come from this door`);
    return entry;
  }

  #scaled(entry: Entry, timeMs: UnixMs | undefined, raw: number, status: StatusCode): void {
    const value = entry.scaled ? raw * entry.scale + entry.offset : raw;
    if (Number.isFinite(value)) this.#numeric(entry, timeMs, value, status, 'f64');
    else this.#nothing(entry, timeMs, isBad(status) ? status : BAD_OUT_OF_RANGE);
  }

  /** No value fits a series of any type. */
  #nothing(entry: Entry, timeMs: UnixMs | undefined, status: StatusCode): void {
    this.#numeric(entry, timeMs, Number.NaN, status, entry.typed ? entry.def.valueType : 'f64');
  }

  /** f64, f32 and bool, or NaN. */
  #numeric(given: Entry, timeMs: UnixMs | undefined, value: number, status: StatusCode, type: ValueType): void {
    const atMs = this.#timeOf(timeMs);
    if (atMs === undefined) return;
    const fits = given.typed && (given.def.valueType === type || (type === 'f64' && given.def.valueType === 'f32'));
    const entry = fits ? given : this.#generation(given, type);
    if (!entry) return;
    const judged = this.#ahead && !isBad(status) ? UNCERTAIN_CLOCK : status;
    const same = Object.is(entry.lastNumber, value) && entry.lastWide === undefined && entry.lastStatus === judged;
    if (same && entry.lastMs === atMs) this.#account.deduplicated++;
    else if (type !== 'bool' && isSettled(entry, atMs, judged, entry.lastNumber, value - entry.lastNumber)) this.#leaveOut(entry, atMs);
    else this.#push(entry, atMs, value, undefined, judged);
  }

  #wide(given: Entry, timeMs: UnixMs | undefined, value: string | bigint, status: StatusCode, type: ValueType): void {
    const atMs = this.#timeOf(timeMs);
    if (atMs === undefined) return;
    const entry = given.typed && given.def.valueType === type ? given : this.#generation(given, type);
    if (!entry) return;
    const judged = this.#ahead && !isBad(status) ? UNCERTAIN_CLOCK : status;
    const { lastWide } = entry;
    const counts = typeof value === 'bigint' && typeof lastWide === 'bigint';
    if (entry.lastMs === atMs && lastWide === value && entry.lastStatus === judged) this.#account.deduplicated++;
    else if (counts && isSettled(entry, atMs, judged, Number(lastWide), Number(value - lastWide))) this.#leaveOut(entry, atMs);
    else this.#push(entry, atMs, Number.NaN, value, judged);
  }

  #leaveOut(entry: Entry, atMs: UnixMs): void {
    const setBack = this.#stamped || entry.seenMs > this.#pipeline.nowMs + MAX_AHEAD_MS;
    entry.seenMs = setBack ? atMs : Math.max(entry.seenMs, atMs);
    this.#account.deadbanded++;
  }

  #generation(entry: Entry, type: ValueType): Entry | undefined {
    const other = this.#pipeline.tags.generation(entry, type);
    if (!other) this.#account.reject('series_limit');
    return other;
  }

  /** Whole milliseconds; the box's time where the device gave none or one beyond belief; undefined (booked) for no time at all. */
  #timeOf(timeMs: UnixMs | undefined): UnixMs | undefined {
    this.#ahead = false;
    this.#stamped = timeMs === undefined;
    const { nowMs } = this.#pipeline;
    if (timeMs === undefined) return nowMs;
    if (!(timeMs >= MIN_TIME_MS && timeMs <= MAX_TIME_MS)) {
      this.#account.reject('invalid_time');
      return undefined;
    }
    if (timeMs > nowMs + MAX_AHEAD_MS && timeMs > this.#options.latestMs()) {
      this.#ahead = true;
      this.#stamped = true;
      this.#account.clockAhead++;
      return nowMs;
    }
    return Math.floor(timeMs) as UnixMs;
  }

  #push(entry: Entry, atMs: UnixMs, number: number, wide: string | bigint | undefined, status: StatusCode): void {
    const { ring } = this.#pipeline;
    const late = atMs < entry.lastMs && !this.#isSetBack(entry, atMs);
    const mayEnter = !this.#options.yields || ring.backlog <= ring.slots * COMPUTED_SHARE;
    if (mayEnter && (entry.defined || this.#define(entry)) && pushInto(ring, entry, atMs, number, wide, status, late)) {
      this.#pipeline.pushed(this.#account);
      if (!late) {
        entry.arrivedMs = this.#pipeline.nowMs;
        remember(entry, atMs, number, wide, status);
      }
      return;
    }
    this.#account.drop(mayEnter ? 'store_full' : 'derived_full');
    this.#pipeline.liveOnly((live) => pushInto(live, entry, atMs, number, wide, status, late));
  }

  /**
   * Whether a reading older than the newest is the newest all the same, because a clock was set back: it has the box's own
   * time; or the box's clock, and with it the device's, was set back since the newest came in; or the newest lies where no
   * time is believed.
   */
  #isSetBack({ lastMs, arrivedMs }: Entry, atMs: UnixMs): boolean {
    if (this.#stamped) return true;
    const { nowMs } = this.#pipeline;
    if (arrivedMs !== undefined && arrivedMs > nowMs) return atMs >= lastMs - (arrivedMs - nowMs) - MAX_AHEAD_MS;
    const isPresent = Math.abs(atMs - nowMs) <= MAX_AHEAD_MS;
    if (lastMs > nowMs + MAX_AHEAD_MS) return isPresent || lastMs > this.#options.latestMs();
    return arrivedMs === undefined && lastMs > nowMs && isPresent;
  }

  #define(entry: Entry): boolean {
    if (!this.#pipeline.ring.pushDefinition(entry.id, entry.def)) return false;
    entry.defined = true;
    this.#undefined.delete(entry.id);
    return true;
  }
}

/** True within the deadband around the last stored value. A late reading is not judged by what came after it. */
function isSettled(entry: Entry, atMs: UnixMs, status: StatusCode, last: number, change: number): boolean {
  const { deadband } = entry;
  if (!deadband || atMs < entry.lastMs || status !== entry.lastStatus) return false;
  const width = deadband.type === 'absolute' ? deadband.value : (Math.abs(last) * deadband.value) / 100;
  return Math.abs(change) <= width; // false when there was or is no value: NaN
}

/** What is compared with the next reading: only what the ring has taken. */
function remember(entry: Entry, atMs: UnixMs, number: number, wide: string | bigint | undefined, status: StatusCode): void {
  entry.seenMs = atMs < entry.lastMs ? atMs : Math.max(entry.seenMs, atMs);
  entry.lastMs = atMs;
  entry.lastNumber = number;
  entry.lastWide = wide;
  entry.lastStatus = status;
  entry.lost = status === BAD_NO_COMMUNICATION;
}

function pushInto(
  ring: Ring,
  entry: Entry,
  atMs: UnixMs,
  number: number,
  wide: string | bigint | undefined,
  status: StatusCode,
  late: boolean,
): boolean {
  if (wide === undefined) return ring.pushNumber(entry.id, atMs, number, status, late);
  if (typeof wide === 'string') return ring.pushText(entry.id, atMs, wide, status, late);
  return ring.pushInteger(entry.id, atMs, wide, entry.def.valueType === 'i64', status, late);
}
