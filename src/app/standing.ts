/** How long a value stands that does not change: what the sources of the box vouch for, as the alert rules ask it. */
import type { NewestSample } from '../alerts/engine.ts';
import type { StatusCode } from '../core/status.ts';
import { API_SOURCE, type SeriesId } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';
import { pollingIntervalMs } from '../drivers/registry.ts';
import type { SourceSpec } from '../ingest/source.ts';
import type { Entry, TagTable } from '../ingest/tag-table.ts';

/** Sources change while the box runs. */
const FACTS_AGE_MS = 10_000;

export interface StandingOptions {
  readonly tags: TagTable;
  /** As they run at present. */
  readonly sources: () => readonly SourceSpec[];
  /** As the readings are stamped. */
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
}

export class Standing {
  readonly #options: StandingOptions;
  /** As of a few seconds ago: how often tags are polled, and the sources that only pass on what devices behind them say. */
  #periods = new Map<string, number>();
  #brokers = new Set<string>();
  #madeMs = Number.NEGATIVE_INFINITY;

  constructor(options: StandingOptions) {
    this.#options = options;
  }

  newest(series: SeriesId): NewestSample | undefined {
    const entry = this.#options.tags.entry(series);
    if (!entry || entry.lastMs === Number.NEGATIVE_INFINITY) return undefined;
    const { lastMs, lastNumber, lastWide, lastStatus } = entry;
    return {
      timeMs: lastMs as UnixMs,
      value: typeof lastWide === 'bigint' ? Number(lastWide) : lastNumber,
      text: typeof lastWide === 'string' ? lastWide : undefined,
      status: lastStatus as StatusCode,
    };
  }

  /**
   * A polled value stands until it was last seen, within its deadband or not. One that is sent on change stands as long as its
   * link does, for which the source vouches: it tells a lost one by a bad sample. Nobody vouches for one that came over REST.
   */
  standsUntilMs(series: SeriesId): number {
    const entry = this.#options.tags.entry(series);
    return entry ? this.#until(entry, this.#isSentOnChange(entry)) : Number.NEGATIVE_INFINITY;
  }

  /** As `standsUntilMs`, but that the link to a broker says nothing of the devices behind it: one that falls silent is missed. */
  heardUntilMs(series: SeriesId): number {
    const entry = this.#options.tags.entry(series);
    return entry ? this.#until(entry, this.#isSentOnChange(entry) && !this.#brokers.has(entry.def.source)) : Number.NEGATIVE_INFINITY;
  }

  /** Undefined where readings come on change only. */
  periodMs(tenant: string, asset: string, tag: string): number | undefined {
    this.#refresh();
    return this.#periods.get(keyOf(tenant, asset, tag));
  }

  #until({ lastMs, seenMs, arrivedMs }: Entry, goesOn: boolean): number {
    const passedMs = goesOn && arrivedMs !== undefined ? this.#options.nowMs() - arrivedMs : 0;
    return Math.max(seenMs, lastMs + passedMs);
  }

  #isSentOnChange({ def: { tenant, source, asset, tag }, lost }: Entry): boolean {
    return !lost && source !== API_SOURCE && this.periodMs(tenant, asset, tag) === undefined;
  }

  #refresh(): void {
    const { sources, monotonicMs } = this.#options;
    if (monotonicMs() - this.#madeMs <= FACTS_AGE_MS) return;
    this.#madeMs = monotonicMs();
    this.#periods = new Map();
    this.#brokers = new Set();
    for (const { id, tenant, type, config, tags } of sources()) {
      if (type === 'mqtt') this.#brokers.add(id);
      for (const tag of tags) {
        const periodMs = pollingIntervalMs(config, tag);
        if (periodMs !== undefined && tag.tag_name) this.#periods.set(keyOf(tenant, tag.asset_id ?? id, tag.tag_name), periodMs);
      }
    }
  }
}

function keyOf(tenant: string, asset: string, tag: string): string {
  return `${tenant}\0${asset}\0${tag}`;
}
