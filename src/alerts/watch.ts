/**
 * One rule on one asset: how far it has come. A small machine that steps with each sample, by the samples' own time, so that
 * the same samples give the same alerts, whenever they are played.
 *
 *   ok ── holds ─→ pending ── held long enough ─→ firing ── clears ─→ ok
 *   any but firing ── no usable sample for long ─→ no_data ── usable sample ─→ ok
 */
import type { UnixMs } from '../core/time.ts';
import type { Resolution } from './alert.ts';
import type { Criterion } from './criterion.ts';
import { type Feed, isOf, restoreFeed, savedFeed } from './feed.ts';
import { Hold } from './hold.ts';
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
import { finite, NOTHING_SAID, type WatchState } from './watch-state.ts';

/** Who hears of what comes of the samples. */
export interface Episodes {
  /** False when no more alerts can be opened: then it is tried again. `timeMs` is when it fired. */
  begin(watch: Watch, kind: 'condition' | 'no_data', timeMs: UnixMs): boolean;
  end(watch: Watch, resolution: Resolution, timeMs: UnixMs): void;
  /** How long a sample of the watch's tag stands; only asked for after a gap. */
  staleAfterMs(watch: Watch): number;
}

const NEVER = Number.NEGATIVE_INFINITY;

export class Watch {
  rule: Rule;
  readonly asset: string;
  text: string | undefined;
  /** The series by which the usable sample that counts came: of them all the last to arrive; before the first one any that feeds this. */
  feed: Feed | undefined;
  /** All of them. */
  readonly feeds: Feed[] = [];
  /** While pending. */
  readonly hold = new Hold();
  /** The sample that counts has not been judged since this began, and its source had vouched for it until then; NaN for one that has. */
  #standingMs = Number.NaN;
  /** How many alerts this watch has fired. */
  episode = 0;
  /** The open alert. */
  alertId: string | undefined;
  /** `lastMs` when it was last saved. */
  savedMs = Number.NaN;
  /** Until then its alerts are not notified. */
  shelvedUntilMs: UnixMs | undefined;
  #phase: RuleState = 'ok';
  #lines: Lines;
  /** That of the feed; before there is one, that of the first to come. */
  #line: number;

  constructor(rule: Rule, asset: string, lines: Lines) {
    this.rule = rule;
    this.asset = asset;
    this.#lines = lines;
    this.#line = lines.take();
  }

  /** The line for another feed. */
  takeLine(): number {
    return this.feeds.length === 0 ? this.#line : this.#lines.take();
  }

  join(feed: Feed): void {
    this.feeds.push(feed);
    this.feed ??= feed;
  }

  get phase(): RuleState {
    return this.#phase;
  }

  get isPaused(): boolean {
    return this.feed?.isPaused === true;
  }

  /** Of the feed's newest sample, bad or not. */
  get lastMs(): number {
    return this.#get(LAST_MS);
  }

  get usableMs(): number {
    return this.#get(USABLE_MS);
  }

  get value(): number {
    return this.#get(VALUE);
  }

  /** The engine's own time when it last heard of a usable sample, of whatever feed. */
  get heardMs(): number {
    const { numbers } = this.#lines;
    return this.feeds.reduce((latestMs, { line }) => Math.max(latestMs, numbers[line + HEARD_MS] as number), this.#get(HEARD_MS));
  }

  set heardMs(engineMs: number) {
    this.#set(HEARD_MS, engineMs);
  }

  /** Its rule is no more: the lines go back, and whoever still holds this sees it as it was. */
  leave(): void {
    const { feeds } = this;
    for (const { line } of feeds.splice(0)) if (line !== this.#line) this.#lines.giveBack(line);
    this.#lines = this.#lines.giveBack(this.#line);
    this.#line = 0;
  }

  /** A sample without a value that can be compared. It speaks for its own source, whatever type that spoke in: what another said stands as before. */
  hearBad(feed: Feed, timeMs: UnixMs): void {
    if (timeMs < this.#lastOf(feed)) return;
    this.#lines.numbers[feed.line + LAST_MS] = timeMs;
    for (const each of this.feeds) if (each.source === feed.source) each.isPaused = true;
    this.savedMs = Number.NaN;
    if (this.isPaused) this.#unsettle();
  }

  /** A usable sample that the criterion takes. */
  hear(feed: Feed, sample: Sample, episodes: Episodes): void {
    const { timeMs, text } = sample;
    const lastMs = this.#lastOf(feed);
    if (timeMs < lastMs) return;
    const spanMs = this.#phase === 'pending' ? this.#spanOf(lastMs, timeMs, episodes) : 0;
    this.#standingMs = Number.NaN;
    this.#turnTo(feed);
    if (feed.criterion.isRate) this.#remember(timeMs);
    this.#lines.put(this.#line, sample);
    this.text = text;
    feed.isPaused = false;
    if (this.#phase === 'no_data') {
      this.#phase = 'ok';
      episodes.end(this, 'data_returned', timeMs);
    }
    const judged = feed.criterion.isRate ? this.#rate() : sample.value;
    if (feed.criterion.isRate && !Number.isFinite(judged)) {
      this.hold.count(0, timeMs); // the first sample of its source, or the first behind a pause
      this.#unsettle();
    } else {
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
      if (this.hold.heldMs >= criterion.durationMs) this.#fire('condition', timeMs, episodes);
    }
  }

  /** The newest sample, of `feed`, is known to stand until `untilMs` of the samples' time: as if it came again, and came when this began. */
  stand(untilMs: number, { criterion }: Feed, episodes: Episodes): void {
    if (untilMs > this.#standingMs) {
      if (criterion.holds(this.value, this.text)) this.#beginToHold(this.#standingMs);
      this.#standingMs = Number.NaN;
    }
    const { countedMs, heldMs } = this.hold;
    if (this.#phase !== 'pending' || !(untilMs >= countedMs)) return;
    const missingMs = criterion.durationMs - heldMs;
    const spanMs = this.#spanOf(countedMs, untilMs, episodes);
    if (spanMs >= missingMs) this.#fire('condition', (countedMs + missingMs) as UnixMs, episodes);
    else this.#count(spanMs, untilMs);
  }

  /** True where what its source vouches for may change something. */
  get mayStand(): boolean {
    return !this.isPaused && (this.#phase === 'pending' || (this.#phase === 'ok' && !Number.isNaN(this.#standingMs)));
  }

  /** The feed's source vouches for it until `untilMs` of the samples' time: where that goes on, a usable sample is heard of as it were. */
  vouch(feed: Feed, untilMs: number, engineMs: number, episodes: Episodes): void {
    const goesOn = untilMs > feed.vouchedMs && !feed.isPaused;
    feed.vouchedMs = untilMs;
    if (!goesOn) return;
    this.heardMs = engineMs;
    if (this.#phase !== 'no_data') return;
    this.#phase = 'ok';
    episodes.end(this, 'data_returned', untilMs as UnixMs);
    if (feed === this.feed) this.awaitStanding(untilMs);
  }

  /**
   * Takes a sample that was there when this began; its source had vouched for it until `standsUntilMs`. It is judged when that goes on,
   * if no other source has a newer one.
   */
  seed(feed: Feed, sample: Sample, standsUntilMs: number): void {
    this.#lines.put(feed.line, sample);
    if (sample.timeMs < this.usableMs) return;
    this.#turnTo(feed);
    this.text = sample.text;
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
    this.hold.heldMs = 0;
    this.heardMs = engineMs;
    this.#unsettle();
  }

  saved(engineMs: number): WatchState {
    const { phase, hold, feed, feeds, episode } = this;
    const { numbers } = this.#lines;
    return {
      phase,
      ...(feed ? savedFeed(feed, numbers) : { ...NOTHING_SAID, paused: false }),
      value: this.text ?? finite(this.value),
      ...hold.saved(),
      standingMs: finite(this.#standingMs),
      others: feeds.filter((other) => other !== feed && this.#lastOf(other) !== NEVER).map((other) => savedFeed(other, numbers)),
      quietMs: engineMs - this.heardMs,
      episode,
      alertId: this.alertId ?? null,
      shelvedUntilMs: this.shelvedUntilMs ?? null,
    };
  }

  /** All feeds are there. */
  restore(state: WatchState, engineMs: number): void {
    const { numbers } = this.#lines;
    const feed = this.feeds.find((each) => isOf(each, state)) ?? this.feed;
    if (feed) this.#turnTo(feed);
    if (feed) restoreFeed(feed, numbers, state);
    for (const saved of state.others ?? []) {
      const other = this.feeds.find((each) => isOf(each, saved));
      if (other) restoreFeed(other, numbers, saved);
    }
    this.text = typeof state.value === 'string' ? state.value : undefined;
    this.#phase = state.phase;
    this.hold.restore(state, this.usableMs);
    this.#standingMs = state.standingMs ?? Number.NaN;
    this.heardMs = engineMs - state.quietMs;
    this.episode = state.episode;
    this.alertId = state.alertId ?? undefined;
    this.shelvedUntilMs = (state.shelvedUntilMs ?? undefined) as UnixMs | undefined;
    this.#unsettle();
  }

  /** Of its newest sample. What is older is late and raises nothing: by the clock of this source, whatever others have said. */
  #lastOf({ line }: Feed): number {
    return this.#lines.numbers[line + LAST_MS] as number;
  }

  /** From now on what this feed says counts. */
  #turnTo(feed: Feed): void {
    if (feed === this.feed) return;
    this.#unsettle();
    this.feed = feed;
    this.#line = feed.line;
    this.savedMs = Number.NaN;
  }

  /** What counts of the time up to then, which the source last told of at `fromMs`: none behind a pause. */
  #spanOf(fromMs: number, timeMs: number, episodes: Episodes): number {
    if (this.isPaused || this.usableMs === NEVER) return 0;
    return this.hold.spanOf(fromMs, timeMs, () => episodes.staleAfterMs(this));
  }

  /** The change in one second up to the newest usable sample. */
  #rate(): number {
    return rateOf(this.value - this.#get(PREVIOUS_VALUE), this.usableMs - this.#get(PREVIOUS_MS));
  }

  /** Before a usable sample is taken. One of the same time as the newest takes its place. */
  #remember(timeMs: UnixMs): void {
    if (timeMs === this.usableMs) return;
    this.#set(PREVIOUS_MS, this.isPaused ? NEVER : this.usableMs);
    this.#set(PREVIOUS_VALUE, this.isPaused ? Number.NaN : this.value);
  }

  #beginToHold(timeMs: number): void {
    this.#phase = 'pending';
    this.hold.begin(timeMs);
  }

  #count(spanMs: number, untilMs: number): void {
    this.hold.count(spanMs, untilMs);
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
