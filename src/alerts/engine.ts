/**
 * Holds every reading against the rules that ask for its series. A reading that no rule asks for costs one look into a column, one that
 * changes nothing at its watch a few more; only the others reach the watch itself.
 */
import { isBad, type StatusCode } from '../core/status.ts';
import type { SeriesDef, SeriesId } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';
import type { Resolution } from './alert.ts';
import { Criterion } from './criterion.ts';
import { Feeds, type WatchFeed } from './feeds.ts';
import { Lines, type Sample } from './lines.ts';
import type { Rule, RuleKey, RuleState } from './rule.ts';
import { type Episodes, Watch } from './watch.ts';
import type { WatchState } from './watch-state.ts';

/** Of the box: some 30 MB. A rule for every asset has one for each that has the tag. */
const MAX_WATCHES = 100_000;

/** What the engine asks of the house. */
export interface EnginePorts {
  readonly episodes: Episodes;
  /** The newest sample of a series that is not late; undefined when there is none. */
  newest(series: SeriesId): NewestSample | undefined;
  /** Until when the newest sample of a series is known to stand, by the device's clock. */
  standsUntilMs(series: SeriesId): number;
  /** When a series was last heard of, by the device's clock: what was left out as it had not changed counts. */
  heardUntilMs(series: SeriesId): number;
}

export interface NewestSample {
  readonly timeMs: UnixMs;
  /** NaN for none. */
  readonly value: number;
  /** Set where it is one. */
  readonly text: string | undefined;
  readonly status: StatusCode;
}

interface RuleEntry {
  rule: Rule;
  readonly plain: Criterion;
  readonly single: Criterion;
  /** By asset. */
  readonly watches: Map<string, Watch>;
}

/** How one rule was left, by asset. */
export type SavedWatches = ReadonlyMap<string, WatchState>;

export class RuleEngine {
  evaluations = 0;
  /** Assets that were not watched, as there were too many. */
  unwatched = 0;
  readonly #ports: EnginePorts;
  readonly #entries = new Map<string, RuleEntry>();
  /** By tenant and tag. */
  readonly #byTag = new Map<string, { readonly rules: Set<RuleEntry>; readonly series: Map<SeriesId, SeriesDef> }>();
  readonly #feeds = new Feeds();
  readonly #lines = new Lines();
  readonly #sample: { -readonly [Name in keyof Sample]: Sample[Name] } = { timeMs: 0 as UnixMs, value: 0, text: undefined, engineMs: 0 };
  #watchCount = 0;
  /** Milliseconds that the box has run with a clock to be trusted. */
  #engineMs = 0;
  /** While replaying, samples that the saved states know are skipped. */
  replaying = false;

  constructor(ports: EnginePorts) {
    this.#ports = ports;
  }

  get engineMs(): number {
    return this.#engineMs;
  }

  get ruleCount(): number {
    return this.#entries.size;
  }

  /** A series exists; before its first sample. */
  define(series: SeriesId, def: SeriesDef): void {
    const tag = this.#tag(def.tenant, def.tag);
    if (tag.series.has(series)) return;
    tag.series.set(series, def);
    for (const entry of tag.rules) this.#attach(entry, series, def);
  }

  /**
   * Watches by the rule from now on. With `saved` it goes on where that ended; without, what is older than now is late, and the present
   * value counts from now on, where its source vouches for it.
   */
  add(rule: Rule, saved?: SavedWatches): void {
    const { condition } = rule;
    const entry: RuleEntry = { rule, plain: new Criterion(condition, false), single: new Criterion(condition, true), watches: new Map() };
    this.#entries.set(keyOf(rule), entry);
    const tag = this.#tag(rule.tenant, condition.tagName);
    tag.rules.add(entry);
    if (condition.assetId !== undefined) this.#watch(entry, condition.assetId);
    for (const [series, def] of tag.series) {
      const feed = this.#attach(entry, series, def);
      if (feed && !saved) this.#seed(feed);
    }
    for (const [asset, state] of saved ?? []) this.#watch(entry, asset)?.restore(state, this.#engineMs);
  }

  /** The rule under another name, severity or revision: what it has come to stays. */
  rename(rule: Rule): void {
    const entry = this.#entries.get(keyOf(rule));
    if (!entry) return;
    entry.rule = rule;
    for (const watch of entry.watches.values()) watch.rule = rule;
  }

  /** Watches by it no more; its open alerts end. */
  remove(key: RuleKey, resolution: Resolution, nowMs: UnixMs): void {
    const entry = this.#entries.get(keyOf(key));
    if (!entry) return;
    this.#entries.delete(keyOf(key));
    const tag = this.#tag(key.tenant, entry.rule.condition.tagName);
    tag.rules.delete(entry);
    for (const series of tag.series.keys()) this.#feeds.detach(series, ({ watch }) => entry.watches.get(watch.asset) === watch);
    this.#watchCount -= entry.watches.size;
    for (const watch of entry.watches.values()) {
      if (watch.alertId !== undefined) this.#ports.episodes.end(watch, resolution, nowMs);
      watch.voices.leave();
    }
    entry.watches.clear();
  }

  watches(key: RuleKey): ReadonlyMap<string, Watch> {
    return this.#entries.get(keyOf(key))?.watches ?? new Map();
  }

  /** Who takes them in turns meets none of a rule that is removed meanwhile. */
  *allWatches(): Generator<Watch, void, undefined> {
    for (const { watches } of this.#entries.values()) yield* watches.values();
  }

  /** On that of its assets where the rule fares worst; `ok` for one that watches nothing. */
  stateOf(key: RuleKey): RuleState {
    let worst: RuleState = 'ok';
    for (const { phase } of this.watches(key).values()) if (RANK[phase] > RANK[worst]) worst = phase;
    return worst;
  }

  number(series: SeriesId, timeMs: UnixMs, value: number, status: StatusCode, historical: boolean): void {
    const first = this.#feeds.first(series);
    if (first !== 0 && !historical) this.#hear(first, this.#fill(timeMs, value, undefined), isBad(status));
  }

  integer(series: SeriesId, timeMs: UnixMs, value: bigint, _signed: boolean, status: StatusCode, historical: boolean): void {
    const first = this.#feeds.first(series);
    if (first !== 0 && !historical) this.#hear(first, this.#fill(timeMs, Number(value), undefined), isBad(status));
  }

  text(series: SeriesId, timeMs: UnixMs, value: string, status: StatusCode, historical: boolean): void {
    const first = this.#feeds.first(series);
    if (first !== 0 && !historical) this.#hear(first, this.#fill(timeMs, Number.NaN, value), isBad(status));
  }

  /** So much time of the box has passed, by a clock to be trusted. */
  pass(elapsedMs: number): void {
    this.#engineMs += elapsedMs;
  }

  /** What time alone brings about on a watch. */
  tick(watch: Watch, nowMs: UnixMs): void {
    const { episodes } = this.#ports;
    const { feed } = watch;
    if (feed && watch.mayStand) watch.stand(this.#ports.standsUntilMs(feed.series), feed, episodes);
    if (watch.rule.condition.noDataMs === undefined) return;
    for (const each of watch.feeds) watch.vouch(each, this.#ports.heardUntilMs(each.series), this.#engineMs, episodes);
    watch.miss(this.#engineMs, nowMs, episodes);
  }

  /** The watch begins anew, with the value that stands. */
  reset(watch: Watch): void {
    watch.reset(this.#engineMs);
    if (watch.feed) watch.awaitStanding(this.#ports.standsUntilMs(watch.feed.series));
  }

  /** What the feed's series has said last is known to the watch, but not judged yet. */
  #seed(feed: WatchFeed): void {
    const { watch, criterion, series } = feed;
    const newest = this.#ports.newest(series);
    if (!newest) return;
    if (isBad(newest.status) || !criterion.takes(newest.value, newest.text)) watch.hearBad(feed, newest.timeMs);
    else watch.seed(feed, this.#fill(newest.timeMs, newest.value, newest.text), this.#ports.standsUntilMs(series));
  }

  #fill(timeMs: UnixMs, value: number, text: string | undefined): Sample {
    const sample = this.#sample;
    sample.timeMs = timeMs;
    sample.value = value;
    sample.text = text;
    sample.engineMs = this.#engineMs;
    return sample;
  }

  #hear(first: number, sample: Sample, bad: boolean): void {
    const feeds = this.#feeds;
    const lines = this.#lines;
    for (let feed = first; feed !== 0; feed = feeds.next(feed)) {
      if (!bad && lines.keep(feeds.line(feed), feed, sample)) this.evaluations++;
      else this.#step(feeds.get(feed), sample, bad);
    }
  }

  #step(feed: WatchFeed, sample: Sample, bad: boolean): void {
    const { watch, criterion } = feed;
    if (this.replaying && sample.timeMs <= feed.knownMs) return;
    this.evaluations++;
    if (bad || !criterion.takes(sample.value, sample.text)) watch.hearBad(feed, sample.timeMs);
    else watch.hear(feed, sample, this.#ports.episodes);
  }

  #attach(entry: RuleEntry, series: SeriesId, def: SeriesDef): WatchFeed | undefined {
    const { condition, dataSourceId } = entry.rule;
    if (condition.assetId !== undefined && condition.assetId !== def.asset) return undefined;
    if (dataSourceId !== undefined && dataSourceId !== def.source) return undefined;
    const watch = this.#watch(entry, def.asset);
    if (!watch) return undefined;
    const { source, valueType } = def;
    const criterion = valueType === 'f32' ? entry.single : entry.plain;
    return this.#feeds.attach({ watch, series, source, valueType, criterion });
  }

  #watch(entry: RuleEntry, asset: string): Watch | undefined {
    const known = entry.watches.get(asset);
    if (known) return known;
    if (this.#watchCount >= MAX_WATCHES) {
      this.unwatched++;
      return undefined;
    }
    const watch = new Watch(entry.rule, asset, this.#lines);
    watch.voices.heardMs = this.#engineMs;
    entry.watches.set(asset, watch);
    this.#watchCount++;
    return watch;
  }

  #tag(tenant: string, tag: string) {
    const key = `${tenant}\0${tag}`;
    const known = this.#byTag.get(key) ?? { rules: new Set<RuleEntry>(), series: new Map<SeriesId, SeriesDef>() };
    this.#byTag.set(key, known);
    return known;
  }
}

const RANK: Readonly<Record<RuleState, number>> = { ok: 0, pending: 1, no_data: 2, firing: 3 };

function keyOf({ tenant, id }: RuleKey): string {
  return `${tenant}\0${id}`;
}
