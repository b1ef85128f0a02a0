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
import type { Rule, RuleState } from './rule.ts';

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
  readonly watch: Watch;
  readonly series: SeriesId;
  readonly source: string;
  readonly valueType: ValueType;
  readonly criterion: Criterion;
}

/** A usable sample. The engine has one of these, and fills it anew for each. */
export interface UsableSample {
  readonly feed: Feed;
  readonly timeMs: UnixMs;
  readonly value: number;
  readonly text: string | undefined;
  /** The engine's own time. */
  readonly engineMs: number;
}

/** As it is saved; null where there is nothing. */
export interface WatchState {
  readonly phase: RuleState;
  readonly lastMs: number | null;
  readonly usableMs: number | null;
  readonly value: number | string | null;
  readonly previousMs: number | null;
  readonly previousValue: number | null;
  readonly sinceMs: number | null;
  readonly heldMs: number;
  readonly paused: boolean;
  readonly quietMs: number;
  readonly episode: number;
  readonly alertId: string | null;
  readonly shelvedUntilMs: number | null;
}

const NEVER = Number.NEGATIVE_INFINITY;

export class Watch {
  rule: Rule;
  readonly asset: string;
  phase: RuleState = 'ok';
  /** Time of the newest sample, bad ones too: what is older is late and raises nothing. */
  lastMs = NEVER;
  /** The newest usable sample, and the series it came by; before the first one any that feeds this. */
  usableMs = NEVER;
  value = Number.NaN;
  text: string | undefined;
  feed: Feed | undefined;
  /** The usable sample before it, without a pause between them; for the rate of change. */
  previousMs = NEVER;
  previousValue = Number.NaN;
  /** When the condition began to hold, and for how long it has, while pending. */
  sinceMs = NEVER;
  heldMs = 0;
  /** A bad sample came behind the newest usable one: until the next usable one no time counts. */
  paused = false;
  /** The engine's own time when it last heard of a usable sample. */
  heardMs: number;
  /** How many alerts this watch has fired. */
  episode = 0;
  /** The open alert. */
  alertId: string | undefined;
  /** `lastMs` when it was last saved. */
  savedMs = Number.NaN;
  /** Until then its alerts are not notified. */
  shelvedUntilMs: UnixMs | undefined;
  /** Replayed samples up to this time are in the saved state already. */
  #knownMs = NEVER;

  constructor(rule: Rule, asset: string, heardMs: number) {
    this.rule = rule;
    this.asset = asset;
    this.heardMs = heardMs;
  }

  /** A sample that replay brings: true when the saved state does not know it yet. */
  isNews(timeMs: number): boolean {
    return timeMs > this.#knownMs;
  }

  /** A sample without a value that can be compared. */
  hearBad(timeMs: UnixMs): void {
    if (timeMs < this.lastMs) return;
    this.lastMs = timeMs;
    this.paused = true;
  }

  /** A usable sample that the criterion takes. */
  hear({ feed, timeMs, value, text, engineMs }: UsableSample, episodes: Episodes): void {
    if (timeMs < this.lastMs) return;
    const { criterion } = feed;
    const spanMs = this.#spanTo(timeMs, episodes);
    this.#take(timeMs, value, text);
    this.feed = feed;
    this.heardMs = engineMs;
    if (this.phase === 'no_data') {
      this.phase = 'ok';
      episodes.end(this, 'data_returned', timeMs);
    }
    let judged = value;
    if (criterion.operator === 'rate_of_change') {
      judged = ((value - this.previousValue) * 1_000) / (timeMs - this.previousMs);
      if (!Number.isFinite(judged)) return; // the first sample, or the first behind a pause
    }
    if (this.phase === 'firing') {
      if (!criterion.clears(judged, text)) return;
      this.phase = 'ok';
      episodes.end(this, 'cleared', timeMs);
    } else if (!criterion.holds(judged, text)) {
      this.phase = 'ok';
    } else {
      if (this.phase === 'pending') this.heldMs += spanMs;
      else this.#beginToHold(timeMs);
      if (this.heldMs >= criterion.durationMs) this.#fire('condition', timeMs, episodes);
    }
  }

  /** The newest sample is known to stand until `untilMs` of the samples' time, as no other has come. */
  stand(untilMs: UnixMs, criterion: Criterion, episodes: Episodes): void {
    const missingMs = criterion.durationMs - this.heldMs;
    if (this.#spanTo(untilMs, episodes) >= missingMs) this.#fire('condition', (this.usableMs + missingMs) as UnixMs, episodes);
  }

  /** Nothing usable has come for as long as the rule grants. */
  miss(engineMs: number, nowMs: UnixMs, episodes: Episodes): void {
    const { noDataMs } = this.rule.condition;
    if (noDataMs === undefined || this.phase === 'firing' || this.phase === 'no_data' || engineMs - this.heardMs < noDataMs) return;
    this.#fire('no_data', nowMs, episodes);
  }

  /** Begins anew, as if nothing had been heard; what is late stays late. */
  reset(engineMs: number): void {
    this.phase = 'ok';
    this.heldMs = 0;
    this.heardMs = engineMs;
  }

  saved(engineMs: number): WatchState {
    const { phase, heldMs, paused, episode } = this;
    return {
      phase,
      lastMs: finite(this.lastMs),
      usableMs: finite(this.usableMs),
      value: this.text ?? finite(this.value),
      previousMs: finite(this.previousMs),
      previousValue: finite(this.previousValue),
      sinceMs: finite(this.sinceMs),
      heldMs,
      paused,
      quietMs: engineMs - this.heardMs,
      episode,
      alertId: this.alertId ?? null,
      shelvedUntilMs: this.shelvedUntilMs ?? null,
    };
  }

  restore(state: WatchState, engineMs: number): void {
    const { value } = state;
    this.phase = state.phase;
    this.lastMs = state.lastMs ?? NEVER;
    this.#knownMs = this.lastMs;
    this.usableMs = state.usableMs ?? NEVER;
    this.value = typeof value === 'number' ? value : Number.NaN;
    this.text = typeof value === 'string' ? value : undefined;
    this.previousMs = state.previousMs ?? NEVER;
    this.previousValue = state.previousValue ?? Number.NaN;
    this.sinceMs = state.sinceMs ?? NEVER;
    this.heldMs = state.heldMs;
    this.paused = state.paused;
    this.heardMs = engineMs - state.quietMs;
    this.episode = state.episode;
    this.alertId = state.alertId ?? undefined;
    this.shelvedUntilMs = (state.shelvedUntilMs ?? undefined) as UnixMs | undefined;
  }

  /** What counts of the time since the newest usable sample: none behind a pause, and no more than a sample stands. */
  #spanTo(timeMs: number, episodes: Episodes): number {
    if (this.paused || this.usableMs === NEVER) return 0;
    const spanMs = timeMs - this.usableMs;
    return spanMs <= MIN_STALE_MS ? spanMs : Math.min(spanMs, Math.max(MIN_STALE_MS, episodes.staleAfterMs(this)));
  }

  /** One of the same time as the newest takes its place. */
  #take(timeMs: UnixMs, value: number, text: string | undefined): void {
    if (timeMs !== this.usableMs) {
      this.previousMs = this.paused ? NEVER : this.usableMs;
      this.previousValue = this.paused ? Number.NaN : this.value;
    }
    this.lastMs = timeMs;
    this.usableMs = timeMs;
    this.value = value;
    this.text = text;
    this.paused = false;
  }

  #beginToHold(timeMs: UnixMs): void {
    this.phase = 'pending';
    this.sinceMs = timeMs;
    this.heldMs = 0;
  }

  #fire(kind: 'condition' | 'no_data', timeMs: UnixMs, episodes: Episodes): void {
    this.episode++;
    if (episodes.begin(this, kind, timeMs)) this.phase = kind === 'condition' ? 'firing' : 'no_data';
    else this.episode--;
  }
}

function finite(number: number): number | null {
  return Number.isFinite(number) ? number : null;
}
