/** Holds every reading against the rules that ask for its series. A reading that no rule asks for costs one look into a column. */
import { isBad, type StatusCode } from '../core/status.ts';
import type { SeriesDef, SeriesId } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';
import type { Resolution } from './alert.ts';
import { Criterion } from './criterion.ts';
import type { Rule, RuleKey, RuleState } from './rule.ts';
import { type Episodes, type Feed, type UsableSample, Watch, type WatchState } from './watch.ts';

/** Of the box: some 30 MB. A rule for every asset has one for each that has the tag. */
const MAX_WATCHES = 100_000;
const FIRST_CAPACITY = 1024;

/** What the engine asks of the house. */
export interface EnginePorts {
  readonly episodes: Episodes;
  /** Time of the newest sample of a series that is not late; −Infinity when there is none. */
  newestMs(series: SeriesId): number;
  /** Until when the newest sample of a series is known to stand, by the device's clock. */
  standsUntilMs(series: SeriesId): number;
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
  /** By series: the place of its feeds; 0 where no rule asks for it. */
  #places = new Uint32Array(FIRST_CAPACITY);
  readonly #feeds: Feed[][] = [[]];
  readonly #sample: { -readonly [Name in keyof UsableSample]: UsableSample[Name] };
  #watchCount = 0;
  /** Milliseconds that the box has run with a clock to be trusted. */
  #engineMs = 0;
  /** While replaying, samples that the saved states know are skipped. */
  replaying = false;

  constructor(ports: EnginePorts) {
    this.#ports = ports;
    this.#sample = { feed: undefined as unknown as Feed, timeMs: 0 as UnixMs, value: 0, text: undefined, engineMs: 0 };
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

  /** Watches by the rule from now on. With `saved` it goes on where that ended; without, what is older than now is late. */
  add(rule: Rule, saved?: SavedWatches): void {
    const { condition } = rule;
    const entry: RuleEntry = { rule, plain: new Criterion(condition, false), single: new Criterion(condition, true), watches: new Map() };
    this.#entries.set(keyOf(rule), entry);
    const tag = this.#tag(rule.tenant, condition.tagName);
    tag.rules.add(entry);
    if (condition.assetId !== undefined) this.#watch(entry, condition.assetId);
    for (const [series, def] of tag.series) {
      const watch = this.#attach(entry, series, def);
      if (watch && !saved) watch.lastMs = Math.max(watch.lastMs, this.#ports.newestMs(series));
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
    for (const series of tag.series.keys()) this.#detach(entry, series);
    this.#watchCount -= entry.watches.size;
    for (const watch of entry.watches.values()) if (watch.alertId !== undefined) this.#ports.episodes.end(watch, resolution, nowMs);
  }

  watches(key: RuleKey): ReadonlyMap<string, Watch> {
    return this.#entries.get(keyOf(key))?.watches ?? new Map();
  }

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
    const place = series < this.#places.length ? (this.#places[series] as number) : 0;
    if (place !== 0 && !historical) this.#hear(place, timeMs, value, undefined, status);
  }

  integer(series: SeriesId, timeMs: UnixMs, value: bigint, _signed: boolean, status: StatusCode, historical: boolean): void {
    const place = series < this.#places.length ? (this.#places[series] as number) : 0;
    if (place !== 0 && !historical) this.#hear(place, timeMs, Number(value), undefined, status);
  }

  text(series: SeriesId, timeMs: UnixMs, value: string, status: StatusCode, historical: boolean): void {
    const place = series < this.#places.length ? (this.#places[series] as number) : 0;
    if (place !== 0 && !historical) this.#hear(place, timeMs, Number.NaN, value, status);
  }

  /** What time alone brings about: `elapsedMs` of the box have passed. */
  tick(elapsedMs: number, nowMs: UnixMs): void {
    this.#engineMs += elapsedMs;
    const { episodes } = this.#ports;
    for (const watch of this.allWatches()) {
      const { feed } = watch;
      if (watch.phase === 'pending' && !watch.paused && feed) {
        watch.stand(this.#ports.standsUntilMs(feed.series) as UnixMs, feed.criterion, episodes);
      }
      watch.miss(this.#engineMs, nowMs, episodes);
    }
  }

  #hear(place: number, timeMs: UnixMs, value: number, text: string | undefined, status: StatusCode): void {
    const feeds = this.#feeds[place] as Feed[];
    const sample = this.#sample;
    for (let index = 0; index < feeds.length; index++) {
      const feed = feeds[index] as Feed;
      const { watch } = feed;
      if (this.replaying && !watch.isNews(timeMs)) continue;
      this.evaluations++;
      if (isBad(status) || !feed.criterion.takes(value, text)) {
        watch.hearBad(timeMs);
        continue;
      }
      sample.feed = feed;
      sample.timeMs = timeMs;
      sample.value = value;
      sample.text = text;
      sample.engineMs = this.#engineMs;
      watch.hear(sample, this.#ports.episodes);
    }
  }

  #attach(entry: RuleEntry, series: SeriesId, def: SeriesDef): Watch | undefined {
    const { condition, dataSourceId } = entry.rule;
    if (condition.assetId !== undefined && condition.assetId !== def.asset) return undefined;
    if (dataSourceId !== undefined && dataSourceId !== def.source) return undefined;
    const watch = this.#watch(entry, def.asset);
    if (!watch) return undefined;
    const { source, valueType } = def;
    const feed: Feed = { watch, series, source, valueType, criterion: valueType === 'f32' ? entry.single : entry.plain };
    watch.feed ??= feed;
    this.#grow(series);
    const place = this.#places[series] as number;
    if (place !== 0) (this.#feeds[place] as Feed[]).push(feed);
    else this.#places[series] = this.#feeds.push([feed]) - 1;
    return watch;
  }

  #detach(entry: RuleEntry, series: SeriesId): void {
    const place = series < this.#places.length ? (this.#places[series] as number) : 0;
    const feeds = this.#feeds[place] as Feed[];
    const others = feeds.filter(({ criterion }) => criterion !== entry.plain && criterion !== entry.single);
    if (place !== 0 && others.length !== feeds.length) this.#feeds[place] = others; // an empty place is taken again by the same series
  }

  #watch(entry: RuleEntry, asset: string): Watch | undefined {
    const known = entry.watches.get(asset);
    if (known) return known;
    if (this.#watchCount >= MAX_WATCHES) {
      this.unwatched++;
      return undefined;
    }
    const watch = new Watch(entry.rule, asset, this.#engineMs);
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

  #grow(series: SeriesId): void {
    if (series < this.#places.length) return;
    const larger = new Uint32Array(2 ** Math.ceil(Math.log2(series + 1)));
    larger.set(this.#places);
    this.#places = larger;
  }
}

const RANK: Readonly<Record<RuleState, number>> = { ok: 0, pending: 1, no_data: 2, firing: 3 };

function keyOf({ tenant, id }: RuleKey): string {
  return `${tenant}\0${id}`;
}
