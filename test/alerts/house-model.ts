/**
 * What alerts one rule on one series must give while its source vouches or not, people act and the box is stopped: slow and obvious, with
 * all samples since the last alert kept, and what stands written down as a sample that came again.
 */
import type { Condition } from '../../src/alerts/rule.ts';

export interface HouseEpisode {
  readonly kind: 'condition' | 'no_data';
  readonly triggeredMs: number;
  readonly endedMs: number | null;
  readonly resolution: string | null;
  readonly isAcknowledged: boolean;
}

interface Point {
  readonly timeMs: number;
  readonly value: number;
  /** How much of the time since the point before counts. */
  readonly spanMs: number;
}

/** Of a rule `gt`. Times are those of the box and of the device, which are the same. */
export class HouseModel {
  readonly episodes: HouseEpisode[] = [];
  /** In order: the event and when it was. */
  readonly told: [event: 'triggered' | 'resolved', timeMs: number][] = [];
  condition: Condition;
  isEnabled = true;
  readonly #staleMs: number;
  /** What the source has said last, whoever hears it; null where that is bad. */
  #said: { readonly timeMs: number; readonly value: number | null } | undefined;
  /** What the rule has heard since it began: the newest usable sample, and whether a bad one came behind it. */
  #usable: { readonly timeMs: number; readonly value: number } | undefined;
  #isPaused = false;
  /** Since the rule began to judge: usable samples, and what stood as if it came again. */
  #points: Point[] = [];
  /** From when on the newest usable sample is to be judged again, once its source vouches for it beyond. */
  #fromMs: number | undefined;
  #quietMs = 0;
  #lookedMs: number | undefined;
  #open = false;
  #isTold = false;
  #shelvedUntilMs: number | undefined;

  constructor(condition: Condition, staleMs: number) {
    this.condition = condition;
    this.#staleMs = staleMs;
  }

  /** A sample; null is a bad one. */
  say(timeMs: number, value: number | null): void {
    this.#said = { timeMs, value };
    if (!this.isEnabled) return;
    this.#isPaused ||= value === null;
    if (value === null) return;
    if (this.#openKind === 'no_data') this.#end(timeMs, 'data_returned');
    this.#add(timeMs, value);
    this.#usable = { timeMs, value };
    this.#isPaused = false;
    this.#fromMs = undefined;
    this.#quietMs = 0;
    const { value: threshold, clearValue } = this.condition;
    if (this.#openKind === 'condition' && value <= (clearValue ?? Number(threshold))) this.#end(timeMs, 'cleared');
    if (!this.#open && this.#holds(value) && this.#heldMs() >= this.condition.durationMs) this.#begin('condition', timeMs);
  }

  /** A second of the box is over; the source vouches for what it said until `standsMs`. */
  second(nowMs: number, standsMs: number): void {
    if (this.isEnabled) {
      if (this.#openKind !== 'no_data' && !this.#isPaused && this.#usable) this.#repeat(standsMs, this.#usable.value);
      this.#quietMs += 1_000;
      const isVouched = this.#lookedMs !== undefined && standsMs > this.#lookedMs && !this.#isPaused;
      this.#lookedMs = standsMs;
      if (isVouched) this.#quietMs = 0;
      if (isVouched && this.#openKind === 'no_data') {
        this.#end(standsMs, 'data_returned');
        this.#judgeFrom(standsMs);
      }
      const { noDataMs } = this.condition;
      if (!this.#open && noDataMs !== undefined && this.#quietMs >= noDataMs) this.#begin('no_data', nowMs);
    }
    if (this.#shelvedUntilMs !== undefined && this.#shelvedUntilMs <= nowMs) this.unshelve();
  }

  acknowledge(): void {
    if (this.#open) this.#change({ isAcknowledged: true });
  }

  resolve(nowMs: number, standsMs: number): void {
    if (!this.#open) return;
    this.#end(nowMs, 'resolved');
    this.#quietMs = 0;
    this.#judgeFrom(standsMs);
  }

  shelve(untilMs: number): void {
    if (this.#open) this.#shelvedUntilMs = untilMs;
  }

  unshelve(): void {
    const wasShelved = this.#shelvedUntilMs !== undefined;
    this.#shelvedUntilMs = undefined;
    if (wasShelved && this.#open && !this.#last.isAcknowledged) this.#tell();
  }

  /** The rule begins anew, by another condition or enabled again. */
  begin(nowMs: number, standsMs: number, condition: Condition): void {
    this.leave(nowMs, 'rule_changed');
    this.condition = condition;
    this.isEnabled = true;
    this.#isPaused = this.#said?.value === null;
    this.#usable = this.#said && this.#said.value !== null ? { timeMs: this.#said.timeMs, value: this.#said.value } : undefined;
    this.#quietMs = 0;
    this.#lookedMs = undefined;
    this.#judgeFrom(standsMs);
  }

  leave(nowMs: number, resolution: 'rule_changed' | 'rule_disabled'): void {
    if (this.#open) this.#end(nowMs, resolution);
    this.isEnabled = false;
    this.#shelvedUntilMs = undefined;
  }

  /** Stopped and started: how far the source has vouched is looked at anew. */
  restart(): void {
    this.#lookedMs = undefined;
  }

  #judgeFrom(standsMs: number): void {
    this.#points = [];
    this.#fromMs = this.#usable && Math.max(this.#usable.timeMs, standsMs);
  }

  /** What stands, as if it came again: and when this begins, as if it came then. */
  #repeat(standsMs: number, value: number): void {
    if (this.#fromMs !== undefined) {
      if (standsMs <= this.#fromMs) return;
      this.#add(this.#fromMs, value);
      this.#fromMs = undefined;
    }
    const before = this.#points.at(-1);
    if (!before || standsMs < before.timeMs) return;
    const missingMs = this.condition.durationMs - this.#heldMs();
    this.#add(standsMs, value);
    if (!this.#open && this.#holds(value) && this.#heldMs() >= this.condition.durationMs)
      this.#begin('condition', before.timeMs + missingMs);
  }

  #add(timeMs: number, value: number): void {
    const before = this.#points.at(-1);
    this.#points.push({ timeMs, value, spanMs: before && !this.#isPaused ? Math.min(timeMs - before.timeMs, this.#staleMs) : 0 });
  }

  #holds(value: number): boolean {
    return value > Number(this.condition.value);
  }

  /** For how long it has held without a break up to the newest point. */
  #heldMs(): number {
    const lastFalse = this.#points.findLastIndex(({ value }) => !this.#holds(value));
    return this.#points.slice(lastFalse + 2).reduce((sum, { spanMs }) => sum + spanMs, 0);
  }

  get #last(): HouseEpisode {
    return this.episodes.at(-1) as HouseEpisode;
  }

  get #openKind(): HouseEpisode['kind'] | undefined {
    return this.#open ? this.#last.kind : undefined;
  }

  #begin(kind: HouseEpisode['kind'], triggeredMs: number): void {
    this.episodes.push({ kind, triggeredMs, endedMs: null, resolution: null, isAcknowledged: false });
    this.#open = true;
    this.#isTold = false;
    if (this.#shelvedUntilMs === undefined) this.#tell();
  }

  #end(endedMs: number, resolution: string): void {
    this.#change({ endedMs: Math.max(endedMs, this.#last.triggeredMs), resolution });
    if (this.#isTold) this.told.push(['resolved', this.#last.endedMs as number]);
    this.#open = false;
    this.#points = [];
  }

  #tell(): void {
    if (!this.#isTold) this.told.push(['triggered', this.#last.triggeredMs]);
    this.#isTold = true;
  }

  #change(change: Partial<HouseEpisode>): void {
    this.episodes[this.episodes.length - 1] = { ...this.#last, ...change };
  }
}
