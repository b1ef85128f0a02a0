/** Alerting in this house: where its readings, its times and its disk are. */
import { Alerting } from '../alerts/alerting.ts';
import type { Notifier } from '../alerts/notice.ts';
import type { Log } from '../core/log.ts';
import { API_SOURCE, type SeriesId } from '../core/tag.ts';
import { pollingIntervalMs } from '../drivers/registry.ts';
import type { Pipeline } from '../ingest/pipeline.ts';
import type { SourceSpec } from '../ingest/source.ts';
import type { TagTable } from '../ingest/tag-table.ts';
import type { StoreClient } from '../store/client.ts';
import type { WallClock } from '../system/wall-clock.ts';

const PERIODS_AGE_MS = 10_000;

export interface AlertingParts {
  readonly clock: WallClock;
  readonly log: Log;
  readonly store: StoreClient;
  readonly tags: TagTable;
  /** Made after this. */
  readonly pipeline: () => Pipeline;
  /** As they run at present. */
  readonly sources: () => readonly SourceSpec[];
  readonly notifier: Notifier;
}

export function alertingOf({ clock, log, store, tags, pipeline, sources, notifier }: AlertingParts): Alerting {
  const periods = new Periods(sources, () => clock.monotonicMs());
  const periodOf = (tenant: string, asset: string, tag: string) => periods.of(tenant, asset, tag);
  return new Alerting({
    clock,
    clockTrusted: () => clock.trusted,
    log,
    records: store.records,
    notifier,
    changes: (cursor, limit) => store.telemetry.changes(cursor, limit),
    position: async (signal) => {
      const { durable } = pipeline().ring;
      await pipeline().durable(durable, signal); // then apply has been there
      return String(durable);
    },
    committed: (signal) => pipeline().durable(pipeline().ring.head, signal),
    newestMs: (series) => tags.entry(series)?.lastMs ?? Number.NEGATIVE_INFINITY,
    standsUntilMs: (series) =>
      standsUntilMs(series, { tags, nowMs: pipeline().nowMs, isPolled: (...tag) => periodOf(...tag) !== undefined }),
    periodMs: periodOf,
  });
}

interface Standing {
  readonly tags: TagTable;
  readonly nowMs: number;
  readonly isPolled: (tenant: string, asset: string, tag: string) => boolean;
}

/**
 * A polled value stands until it was last seen, within its deadband or not. One that is sent on change stands as long as its
 * link does, for which the source vouches: it tells a lost one by a bad sample. Nobody vouches for one that came over REST.
 */
function standsUntilMs(series: SeriesId, { tags, nowMs, isPolled }: Standing): number {
  const entry = tags.entry(series);
  if (!entry) return Number.NEGATIVE_INFINITY;
  const { tenant, source, asset, tag } = entry.def;
  const isSilent = entry.lost || source === API_SOURCE || entry.arrivedMs === undefined || isPolled(tenant, asset, tag);
  return isSilent ? entry.seenMs : entry.seenMs + Math.max(0, nowMs - (entry.arrivedMs ?? nowMs));
}

/** How often tags are polled, as of a few seconds ago: sources change while the box runs. */
class Periods {
  readonly #sources: () => readonly SourceSpec[];
  readonly #monotonicMs: () => number;
  #byTag = new Map<string, number>();
  #madeMs = Number.NEGATIVE_INFINITY;

  constructor(sources: () => readonly SourceSpec[], monotonicMs: () => number) {
    this.#sources = sources;
    this.#monotonicMs = monotonicMs;
  }

  /** Undefined where readings come on change only. */
  of(tenant: string, asset: string, tag: string): number | undefined {
    if (this.#monotonicMs() - this.#madeMs > PERIODS_AGE_MS) this.#make();
    return this.#byTag.get(`${tenant}\0${asset}\0${tag}`);
  }

  #make(): void {
    this.#madeMs = this.#monotonicMs();
    this.#byTag = new Map();
    for (const source of this.#sources()) {
      for (const tag of source.tags) {
        const periodMs = pollingIntervalMs(source.config, tag);
        if (periodMs === undefined || !tag.tag_name) continue;
        this.#byTag.set(`${source.tenant}\0${tag.asset_id ?? source.id}\0${tag.tag_name}`, periodMs);
      }
    }
  }
}
