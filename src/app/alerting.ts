/** Alerting in this house: where its readings, its times and its disk are. */
import { Alerting } from '../alerts/alerting.ts';
import type { Notifier } from '../alerts/notice.ts';
import type { Log } from '../core/log.ts';
import type { Pipeline } from '../ingest/pipeline.ts';
import type { SourceSpec } from '../ingest/source.ts';
import type { TagTable } from '../ingest/tag-table.ts';
import type { StoreClient } from '../store/client.ts';
import type { WallClock } from '../system/wall-clock.ts';
import { Standing } from './standing.ts';

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
  const standing = new Standing({ tags, sources, nowMs: () => pipeline().nowMs, monotonicMs: () => clock.monotonicMs() });
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
    newest: (series) => standing.newest(series),
    standsUntilMs: (series) => standing.standsUntilMs(series),
    heardUntilMs: (series) => standing.heardUntilMs(series),
    periodMs: (...tag) => standing.periodMs(...tag),
  });
}
