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
import type { Feed } from './feed.ts';
import { Hold } from './hold.ts';
import type { Lines, Sample } from './lines.ts';
import type { Rule, RuleState } from './rule.ts';
import { Voices } from './voices.ts';
import { finite, type WatchState } from './watch-state.ts';

/** Who hears of what comes of the samples. */
export interface Episodes {
  /** False when no more alerts can be opened: then it is tried again. `timeMs` is when it fired. */
  begin(watch: Watch, kind: 'condition' | 'no_data', timeMs: UnixMs): boolean;
  end(watch: Watch, resolution: Resolution, timeMs: UnixMs): void;
  /** How long a sample of the watch's tag stands; only asked for after a gap. */
  staleAfterMs(watch: Watch): number;
}

export class Watch {
  rule: Rule;
  readonly asset: string;
  readonly voices: Voices;
  /** While pending. */
  readonly hold = new Hold();
  /** The sample that counts has not been judged since this began, and its source had vouched for it until then; NaN for one that has. */
  #standingMs = Number.NaN;
  /** How many alerts this watch has fired. */
  episode = 0;
  /** The open alert. */
  alertId: string | undefined;
  /** `voices.lastMs` when it was last saved. */
  savedMs = Number.NaN;
  /** Until then its alerts are not notified. */
  shelvedUntilMs: UnixMs | undefined;
  #phase: RuleState = 'ok';

  constructor(rule: Rule, asset: string, lines: Lines) {
    this.rule = rule;
    this.asset = asset;
    this.voices = new Voices(lines);
  }

  get phase(): RuleState {
    return this.#phase;
  }

  /** The one that counts. */
  get feed(): Feed | undefined {
    return this.voices.feed;
  }

  get feeds(): readonly Feed[] {
    return this.voices.feeds;
  }

  /** A sample without a value that can be compared. */
  hearBad(feed: Feed, timeMs: UnixMs): void {
    if (timeMs < this.voices.lastOf(feed)) return;
    this.voices.pause(feed, timeMs);
    this.savedMs = Number.NaN;
  }

  /** A usable sample that the criterion takes. */
  hear(feed: Feed, sample: Sample, episodes: Episodes): void {
    const { voices } = this;
    const { timeMs } = sample;
    const lastMs = voices.lastOf(feed);
    if (timeMs < lastMs) return;
    const spanMs = this.#phase === 'pending' ? this.#spanOf(lastMs, timeMs, episodes) : 0;
    this.#standingMs = Number.NaN;
    if (voices.turnTo(feed)) this.savedMs = Number.NaN;
    voices.take(feed, sample);
    if (this.#phase === 'no_data') {
      this.#phase = 'ok';
      episodes.end(this, 'data_returned', timeMs);
    }
    const judged = feed.criterion.isRate ? voices.rate : sample.value;
    if (feed.criterion.isRate && !Number.isFinite(judged)) {
      this.hold.count(0, timeMs); // the first sample of its source, or the first behind a pause
      voices.unsettle();
    } else {
      this.#judge(feed.criterion, judged, spanMs, episodes);
      this.#settle(feed, judged);
    }
  }

  /** Of the newest usable sample. */
  #judge(criterion: Criterion, judged: number, spanMs: number, episodes: Episodes): void {
    const { text } = this.voices;
    const timeMs = this.voices.usableMs as UnixMs;
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
      if (criterion.holds(this.voices.value, this.voices.text)) this.#beginToHold(this.#standingMs);
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
    return !this.voices.isPaused && (this.#phase === 'pending' || (this.#phase === 'ok' && !Number.isNaN(this.#standingMs)));
  }

  /**
   * The feed's source vouches for it until `untilMs` of the samples' time: where that goes on, a usable sample is heard of as it were. The one
   * that counts is judged anew when its own source vouches for it again, whichever ended the silence.
   */
  vouch(feed: Feed, untilMs: number, engineMs: number, episodes: Episodes): void {
    const goesOn = untilMs > feed.vouchedMs && !feed.isPaused;
    feed.vouchedMs = untilMs;
    if (!goesOn) return;
    this.voices.heardMs = engineMs;
    if (this.#phase !== 'no_data') return;
    this.#phase = 'ok';
    episodes.end(this, 'data_returned', untilMs as UnixMs);
    if (this.feed) this.awaitStanding(this.feed.vouchedMs);
  }

  /**
   * Takes a sample that was there when this began; its source had vouched for it until `standsUntilMs`. It is judged when that goes on,
   * if no other source has a newer one.
   */
  seed(feed: Feed, sample: Sample, standsUntilMs: number): void {
    if (this.voices.place(feed, sample)) this.awaitStanding(standsUntilMs);
  }

  /** The newest sample is to be judged again as soon as its source vouches for it beyond `standsUntilMs`. That of a rate of change says nothing. */
  awaitStanding(standsUntilMs: number): void {
    const { isHeard, usableMs, feed } = this.voices;
    this.#standingMs = isHeard && feed?.criterion.isRate === false ? Math.max(usableMs, standsUntilMs) : Number.NaN;
    this.savedMs = Number.NaN;
  }

  /** Nothing usable has come for as long as the rule grants. */
  miss(engineMs: number, nowMs: UnixMs, episodes: Episodes): void {
    const { noDataMs } = this.rule.condition;
    if (noDataMs === undefined || this.#phase === 'firing' || this.#phase === 'no_data' || engineMs - this.voices.heardMs < noDataMs)
      return;
    this.#fire('no_data', nowMs, episodes);
  }

  /** Begins anew; what is late stays late. */
  reset(engineMs: number): void {
    this.#phase = 'ok';
    this.voices.heardMs = engineMs;
    this.voices.unsettle();
  }

  saved(engineMs: number): WatchState {
    const { phase, hold, voices, episode } = this;
    return {
      phase,
      ...voices.saved(),
      ...hold.saved(),
      standingMs: finite(this.#standingMs),
      quietMs: engineMs - voices.heardMs,
      episode,
      alertId: this.alertId ?? null,
      shelvedUntilMs: this.shelvedUntilMs ?? null,
    };
  }

  /** All feeds are there. */
  restore(state: WatchState, engineMs: number): void {
    this.voices.restore(state);
    this.#phase = state.phase;
    this.hold.restore(state, this.voices.usableMs);
    this.#standingMs = state.standingMs ?? Number.NaN;
    this.voices.heardMs = engineMs - state.quietMs;
    this.episode = state.episode;
    this.alertId = state.alertId ?? undefined;
    this.shelvedUntilMs = (state.shelvedUntilMs ?? undefined) as UnixMs | undefined;
  }

  /** What counts of the time up to then, which the source last told of at `fromMs`: none behind a pause. */
  #spanOf(fromMs: number, timeMs: number, episodes: Episodes): number {
    if (this.voices.isPaused || !this.voices.isHeard) return 0;
    return this.hold.spanOf(fromMs, timeMs, () => episodes.staleAfterMs(this));
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
    this.voices.unsettle();
  }

  /** What changes nothing from now on: nothing while time counts, nor of texts. */
  #settle(feed: Feed, judged: number): void {
    const hasFired = this.#phase === 'firing';
    if (this.voices.text !== undefined || !(hasFired || this.#phase === 'ok')) this.voices.unsettle();
    else this.voices.settle(feed, judged, hasFired);
  }
}
