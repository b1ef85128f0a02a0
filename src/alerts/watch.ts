/**
 * One rule on one asset: how far it has come. A small machine that steps with each sample, by the samples' own time, so that
 * the same samples give the same alerts, whenever they are played.
 *
 *   ok ── holds ─→ pending ── held long enough ─→ firing ── clears ─→ ok
 *   any but firing ── no usable sample for long ─→ no_data ── usable sample ─→ ok
 */
import type { SeriesId, ValueType } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';
import type { Resolution } from './alert.ts';
import type { Criterion } from './criterion.ts';
import {
  HEARD_MS,
  LAST_MS,
  type Lines,
  PREVIOUS_MS,
  PREVIOUS_VALUE,
  rateOf,
  type Sample,
  STEADY_FEED,
  STEADY_LOW,
  USABLE_MS,
  VALUE,
} from './lines.ts';
import type { Rule, RuleState } from './rule.ts';
import { finite, type WatchState } from './watch-state.ts';

/** A sample stands for so long at least, whatever its period: the same as a twin's health grants it. */
const MIN_STALE_MS = 30_000;

/** Who hears of what comes of the samples. */
export interface Episodes {
  /** False when no more alerts can be opened: then it is tried again. `timeMs` is when it fired. */
  begin(watch: Watch, kind: 'condition' | 'no_data', timeMs: UnixMs): boolean;
  end(watch: Watch, resolution: Resolution, timeMs: UnixMs): void;
  /** How long a sample of the watch's tag stands; only asked for after a gap. */
  staleAfterMs(watch: Watch): number;
}

/** One series that feeds one watch. */
export interface Feed {
  /** Its own, for as long as it is attached; never 0. */
  readonly number: number;
  readonly watch: Watch;
  readonly series: SeriesId;
  readonly source: string;
  readonly valueType: ValueType;
  readonly criterion: Criterion;
}

const NEVER = Number.NEGATIVE_INFINITY;

export class Watch {
  rule: Rule;
  readonly asset: string;
  text: string | undefined;
  /** The series by which the newest usable sample came; before the first one any that feeds this. */
  feed: Feed | undefined;
  /** When the condition began to hold, and for how long it has, while pending. */
  sinceMs = NEVER;
  heldMs = 0;
  /** Up to which time of the samples that is counted. */
  #countedMs = NEVER;
  /** The newest sample has not been judged since this began, and its source had vouched for it until then; NaN for one that has. */
  #standingMs = Number.NaN;
  /** Until when its source had vouched for the tag when that was last looked at; NaN before the first look. */
  #vouchedMs = Number.NaN;
  /** How many alerts this watch has fired. */
  episode = 0;
  /** The open alert. */
  alertId: string | undefined;
  /** `lastMs` when it was last saved. */
  savedMs = Number.NaN;
  /** Until then its alerts are not notified. */
  shelvedUntilMs: UnixMs | undefined;
  #phase: RuleState = 'ok';
  /** A bad sample came behind the newest usable one: until the next usable one no time counts. */
  #isPaused = false;
  /** Replayed samples up to this time are in the saved state already. */
  #knownMs = NEVER;
  #lines: Lines;
  #line: number;

  constructor(rule: Rule, asset: string, lines: Lines) {
    this.rule = rule;
    this.asset = asset;
    this.#lines = lines;
    this.#line = lines.take();
  }

  get line(): number {
    return this.#line;
  }

  get phase(): RuleState {
    return this.#phase;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** What is older is late and raises nothing. */
  get lastMs(): number {
    return this.#get(LAST_MS);
  }

  set lastMs(timeMs: number) {
    this.#set(LAST_MS, timeMs);
  }

  get usableMs(): number {
    return this.#get(USABLE_MS);
  }

  get value(): number {
    return this.#get(VALUE);
  }

  /** The engine's own time when it last heard of a usable sample. */
  get heardMs(): number {
    return this.#get(HEARD_MS);
  }

  set heardMs(engineMs: number) {
    this.#set(HEARD_MS, engineMs);
  }

  /** Its rule is no more: the line goes back, and whoever still holds this sees it as it was. */
  leave(): void {
    this.#lines = this.#lines.giveBack(this.#line);
    this.#line = 0;
  }

  /** A sample that replay brings: true when the saved state does not know it yet. */
  isNews(timeMs: number): boolean {
    return timeMs > this.#knownMs;
  }

  /** A sample without a value that can be compared. */
  hearBad(timeMs: UnixMs): void {
    if (timeMs < this.lastMs) return;
    this.lastMs = timeMs;
    this.#isPaused = true;
    this.#unsettle();
  }

  /** A usable sample that the criterion takes. */
  hear(feed: Feed, sample: Sample, episodes: Episodes): void {
    const { timeMs, text } = sample;
    if (timeMs < this.lastMs) return;
    const spanMs = this.#phase === 'pending' ? this.#spanTo(timeMs, episodes) : 0;
    this.#standingMs = Number.NaN;
    if (feed.criterion.isRate) this.#remember(timeMs);
    this.#lines.put(this.#line, sample);
    this.text = text;
    this.feed = feed;
    this.#isPaused = false;
    if (this.#phase === 'no_data') {
      this.#phase = 'ok';
      episodes.end(this, 'data_returned', timeMs);
    }
    const judged = feed.criterion.isRate ? this.#rate() : sample.value;
    if (feed.criterion.isRate && !Number.isFinite(judged))
      this.#unsettle(); // the first sample, or the first behind a pause
    else {
      this.#judge(feed.criterion, judged, spanMs, episodes);
      this.#settle(feed, judged);
    }
  }

  /** Of the newest usable sample. */
  #judge(criterion: Criterion, judged: number, spanMs: number, episodes: Episodes): void {
    const { text } = this;
    const timeMs = this.usableMs as UnixMs;
    if (this.#phase === 'firing') {
      if (!criterion.clears(judged, text)) return;
      this.#phase = 'ok';
      episodes.end(this, 'cleared', timeMs);
    } else if (!criterion.holds(judged, text)) {
      this.#phase = 'ok';
    } else {
      if (this.#phase === 'pending') this.#count(spanMs, timeMs);
      else this.#beginToHold(timeMs);
      if (this.heldMs >= criterion.durationMs) this.#fire('condition', timeMs, episodes);
    }
  }

  /** The newest sample, of `feed`, is known to stand until `untilMs` of the samples' time: as if it came again, and came when this began. */
  stand(untilMs: number, { criterion }: Feed, episodes: Episodes): void {
    if (untilMs > this.#standingMs) {
      if (criterion.holds(this.value, this.text)) this.#beginToHold(this.#standingMs);
      this.#standingMs = Number.NaN;
    }
    if (this.#phase !== 'pending' || !(untilMs >= this.#countedMs)) return;
    const missingMs = criterion.durationMs - this.heldMs;
    const spanMs = this.#spanTo(untilMs, episodes);
    if (spanMs >= missingMs) this.#fire('condition', (this.#countedMs + missingMs) as UnixMs, episodes);
    else this.#count(spanMs, untilMs);
  }

  /** True where what its source vouches for may change something. */
  get mayStand(): boolean {
    return !this.#isPaused && (this.#phase === 'pending' || !Number.isNaN(this.#standingMs));
  }

  /** Its source vouches for the tag until `untilMs` of the samples' time: where that goes on, a usable sample is heard of as it were. */
  vouch(untilMs: number, engineMs: number): void {
    if (untilMs > this.#vouchedMs && !this.#isPaused) this.heardMs = engineMs;
    this.#vouchedMs = untilMs;
  }

  /** Takes a sample that was there when this began; its source had vouched for it until `standsUntilMs`. It is judged when that goes on. */
  seed(feed: Feed, sample: Sample, standsUntilMs: number): void {
    this.#lines.put(this.#line, sample);
    this.text = sample.text;
    this.feed = feed;
    this.awaitStanding(standsUntilMs);
  }

  /** The newest sample is to be judged again as soon as its source vouches for it beyond `standsUntilMs`. That of a rate of change says nothing. */
  awaitStanding(standsUntilMs: number): void {
    const isKnown = this.usableMs !== NEVER && this.feed?.criterion.isRate === false;
    this.#standingMs = isKnown ? Math.max(this.usableMs, standsUntilMs) : Number.NaN;
    this.savedMs = Number.NaN;
  }

  /** Nothing usable has come for as long as the rule grants. */
  miss(engineMs: number, nowMs: UnixMs, episodes: Episodes): void {
    const { noDataMs } = this.rule.condition;
    if (noDataMs === undefined || this.#phase === 'firing' || this.#phase === 'no_data' || engineMs - this.heardMs < noDataMs) return;
    this.#fire('no_data', nowMs, episodes);
  }

  /** Begins anew; what is late stays late. */
  reset(engineMs: number): void {
    this.#phase = 'ok';
    this.heldMs = 0;
    this.heardMs = engineMs;
    this.#unsettle();
  }

  saved(engineMs: number): WatchState {
    const { phase, heldMs, isPaused, episode } = this;
    return {
      phase,
      lastMs: finite(this.lastMs),
      usableMs: finite(this.usableMs),
      value: this.text ?? finite(this.value),
      previousMs: finite(this.#get(PREVIOUS_MS)),
      previousValue: finite(this.#get(PREVIOUS_VALUE)),
      sinceMs: finite(this.sinceMs),
      heldMs,
      countedMs: finite(this.#countedMs),
      standingMs: finite(this.#standingMs),
      paused: isPaused,
      quietMs: engineMs - this.heardMs,
      episode,
      alertId: this.alertId ?? null,
      shelvedUntilMs: this.shelvedUntilMs ?? null,
    };
  }

  restore(state: WatchState, engineMs: number): void {
    const { value } = state;
    this.#phase = state.phase;
    this.lastMs = state.lastMs ?? NEVER;
    this.#knownMs = this.lastMs;
    this.#set(USABLE_MS, state.usableMs ?? NEVER);
    this.#set(VALUE, typeof value === 'number' ? value : Number.NaN);
    this.text = typeof value === 'string' ? value : undefined;
    this.#set(PREVIOUS_MS, state.previousMs ?? NEVER);
    this.#set(PREVIOUS_VALUE, state.previousValue ?? Number.NaN);
    this.sinceMs = state.sinceMs ?? NEVER;
    this.heldMs = state.heldMs;
    this.#countedMs = state.countedMs ?? this.usableMs;
    this.#standingMs = state.standingMs ?? Number.NaN;
    this.#isPaused = state.paused;
    this.heardMs = engineMs - state.quietMs;
    this.episode = state.episode;
    this.alertId = state.alertId ?? undefined;
    this.shelvedUntilMs = (state.shelvedUntilMs ?? undefined) as UnixMs | undefined;
    this.#unsettle();
  }

  /** What counts of the time since that which is counted: none behind a pause, and no more than a sample stands. */
  #spanTo(timeMs: number, episodes: Episodes): number {
    if (this.#isPaused || this.usableMs === NEVER) return 0;
    const spanMs = timeMs - this.#countedMs;
    return spanMs <= MIN_STALE_MS ? spanMs : Math.min(spanMs, Math.max(MIN_STALE_MS, episodes.staleAfterMs(this)));
  }

  /** The change in one second up to the newest usable sample. */
  #rate(): number {
    return rateOf(this.value - this.#get(PREVIOUS_VALUE), this.usableMs - this.#get(PREVIOUS_MS));
  }

  /** Before a usable sample is taken. One of the same time as the newest takes its place. */
  #remember(timeMs: UnixMs): void {
    if (timeMs === this.usableMs) return;
    this.#set(PREVIOUS_MS, this.#isPaused ? NEVER : this.usableMs);
    this.#set(PREVIOUS_VALUE, this.#isPaused ? Number.NaN : this.value);
  }

  #beginToHold(timeMs: number): void {
    this.#phase = 'pending';
    this.sinceMs = timeMs;
    this.heldMs = 0;
    this.#countedMs = timeMs;
  }

  #count(spanMs: number, untilMs: number): void {
    this.heldMs += Math.max(0, spanMs);
    this.#countedMs = untilMs;
    this.savedMs = Number.NaN;
  }

  #fire(kind: 'condition' | 'no_data', timeMs: UnixMs, episodes: Episodes): void {
    this.episode++;
    if (episodes.begin(this, kind, timeMs)) this.#phase = kind === 'condition' ? 'firing' : 'no_data';
    else this.episode--;
    this.#unsettle();
  }

  /** Says which samples of the feed change nothing from now on: none while time counts, nor of texts. */
  #settle({ number, criterion }: Feed, judged: number): void {
    const hasFired = this.#phase === 'firing';
    if (this.text !== undefined || !(hasFired || this.#phase === 'ok')) {
      this.#unsettle();
      return;
    }
    this.#set(STEADY_FEED, criterion.isRate ? -number : number);
    criterion.bands(hasFired).around(judged, this.#lines.numbers, this.#line + STEADY_LOW);
  }

  /** Every sample may change something. */
  #unsettle(): void {
    this.#set(STEADY_FEED, 0);
  }

  #get(column: number): number {
    return this.#lines.numbers[this.#line + column] as number;
  }

  #set(column: number, value: number): void {
    this.#lines.numbers[this.#line + column] = value;
  }
}
