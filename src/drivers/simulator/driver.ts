/** The simulator: a source without a device, whose tags follow waveforms. For trying things out and for tests. */
import { aborted } from '../../core/clock.ts';
import type { Emit, EmitTag } from '../../core/emit.ts';
import { BAD_NODE_ID_UNKNOWN, GOOD } from '../../core/status.ts';
import type { SeriesId } from '../../core/tag.ts';
import { ticks } from '../../core/ticker.ts';
import type { Driver, DriverContext, DriverSpec, Reading } from '../driver.ts';
import type { SimulatorConfig, SimulatorTag } from './options.ts';
import { tagSeed, valueAt } from './waveform.ts';

interface SimulatedTag {
  readonly tag: SimulatorTag;
  readonly assetId: string;
  readonly seed: number;
  readonly intervalMs: number;
}

interface PolledTag extends SimulatedTag {
  readonly series: SeriesId;
}

export function createDriver({ sourceId, config, tags }: DriverSpec<SimulatorConfig, SimulatorTag>, { clock }: DriverContext): Driver {
  const simulated = tags.map((tag): SimulatedTag => {
    const assetId = tag.asset_id ?? sourceId;
    const seed = tagSeed(config.seed, `${assetId}/${tag.tag_name}`);
    return { tag, assetId, seed, intervalMs: tag.polling_interval_ms ?? config.polling_interval_ms };
  });

  async function poll(emit: Emit, intervalMs: number, polled: readonly PolledTag[], signal: AbortSignal): Promise<void> {
    for await (const _tick of ticks(clock, intervalMs, signal)) {
      const timeMs = clock.now();
      for (const { tag, seed, series } of polled) {
        const value = valueAt(tag, seed, timeMs);
        if (typeof value === 'string') emit.text(series, timeMs, value, GOOD);
        else emit.number(series, timeMs, value, GOOD);
      }
    }
  }

  return {
    connect: async (signal) => signal.throwIfAborted(),
    async run(emit, signal) {
      const byInterval = new Map<number, PolledTag[]>();
      for (const one of simulated) {
        const series = emit.series(emitTagOf(one));
        if (series === undefined) continue;
        const polled = byInterval.get(one.intervalMs) ?? [];
        polled.push({ ...one, series });
        byInterval.set(one.intervalMs, polled);
      }
      await Promise.all([aborted(signal), ...[...byInterval].map(([intervalMs, polled]) => poll(emit, intervalMs, polled, signal))]);
    },
    async readNow(tagNames) {
      const timeMs = clock.now();
      return tagNames.flatMap((tagName): Reading[] => {
        const matches = simulated.filter(({ tag }) => tag.tag_name === tagName);
        if (matches.length === 0) return [{ tagName, assetId: sourceId, value: null, status: BAD_NODE_ID_UNKNOWN, timeMs: undefined }];
        return matches.map(({ tag, assetId, seed }) => {
          const raw = valueAt(tag, seed, timeMs);
          const value = typeof raw === 'string' ? raw : raw * (tag.scale ?? 1) + (tag.offset ?? 0);
          return { tagName, assetId, value, status: GOOD, timeMs };
        });
      });
    },
    close: async () => {},
  };
}

function emitTagOf({ tag, assetId }: SimulatedTag): EmitTag {
  return {
    asset: assetId,
    tag: tag.tag_name,
    valueType: tag.waveform === 'text' ? 'string' : 'f64',
    ...(tag.unit !== undefined && { unit: tag.unit }),
    ...(tag.scale !== undefined && { scale: tag.scale }),
    ...(tag.offset !== undefined && { offset: tag.offset }),
    ...(tag.deadband && { deadband: tag.deadband }),
  };
}
