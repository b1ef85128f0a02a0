/** The simulator: a source without a device, whose tags follow waveforms. For trying things out and for tests. */
import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { aborted } from '../../core/clock.ts';
import type { Emit, EmitTag } from '../../core/emit.ts';
import { GatewayError } from '../../core/errors.ts';
import { BAD_NODE_ID_UNKNOWN, GOOD } from '../../core/status.ts';
import type { SeriesId } from '../../core/tag.ts';
import { ticks } from '../../core/ticker.ts';
import type { UnixMs } from '../../core/time.ts';
import { checkWritable, FLOAT64, rawFloat, rawText } from '../command.ts';
import { type Driver, type DriverContext, type DriverSpec, type Reading, type TagRef, tagKey } from '../driver.ts';
import type { SimulatorConfig, SimulatorTag } from './options.ts';
import { tagSeed, valueAt } from './waveform.ts';

/** After so many tags others have their turn: some 5 ms of work on a small box. */
const TURN_TAGS = 2_000;

interface SimulatedTag extends TagRef {
  readonly tag: SimulatorTag;
  readonly seed: number;
  readonly intervalMs: number;
  /** What was written, before scaling: from then on the tag stays at it. */
  written: number | string | undefined;
}

interface PolledTag {
  readonly simulated: SimulatedTag;
  readonly series: SeriesId;
}

export function createDriver({ sourceId, config, tags }: DriverSpec<SimulatorConfig, SimulatorTag>, { clock }: DriverContext): Driver {
  let simulated = simulatedOf(tags);
  let changed = new AbortController();
  let emitNow: (one: SimulatedTag, timeMs: UnixMs) => void = () => {};

  function simulatedOf(given: readonly SimulatorTag[]): ReadonlyMap<string, SimulatedTag> {
    const all = new Map<string, SimulatedTag>();
    for (const tag of given) {
      const ref = { assetId: tag.asset_id ?? sourceId, tagName: tag.tag_name };
      const seed = tagSeed(config.seed, `${ref.assetId}/${ref.tagName}`);
      const intervalMs = tag.polling_interval_ms ?? config.polling_interval_ms;
      all.set(tagKey(ref), { ...ref, tag, seed, intervalMs, written: undefined });
    }
    return all;
  }

  /** Until the signal aborts. */
  async function pollAll(emit: Emit, signal: AbortSignal): Promise<void> {
    const byInterval = new Map<number, PolledTag[]>();
    const series = new Map<SimulatedTag, SeriesId>();
    for (const one of simulated.values()) {
      const id = emit.series(emitTagOf(one));
      if (id === undefined) continue;
      series.set(one, id);
      const polled = byInterval.get(one.intervalMs) ?? [];
      polled.push({ simulated: one, series: id });
      byInterval.set(one.intervalMs, polled);
    }
    emitNow = (one, timeMs) => {
      const id = series.get(one);
      if (id !== undefined && !signal.aborted) emitRaw(emit, id, timeMs, rawAt(one, timeMs));
    };
    await Promise.all([aborted(signal), ...[...byInterval].map(([intervalMs, polled]) => poll(emit, intervalMs, polled, signal))]);
  }

  async function poll(emit: Emit, intervalMs: number, polled: readonly PolledTag[], signal: AbortSignal): Promise<void> {
    for await (const _tick of ticks(clock, intervalMs, signal)) {
      const timeMs = clock.now();
      for (const [at, { simulated: one, series }] of polled.entries()) {
        if (at > 0 && at % TURN_TAGS === 0) await setImmediate();
        if (signal.aborted) return;
        emitRaw(emit, series, timeMs, rawAt(one, timeMs));
      }
    }
  }

  function read(ref: TagRef): Reading {
    const one = simulated.get(tagKey(ref));
    if (!one) return { assetId: ref.assetId, tagName: ref.tagName, value: null, status: BAD_NODE_ID_UNKNOWN, timeMs: undefined };
    const timeMs = clock.now();
    emitNow(one, timeMs);
    const raw = rawAt(one, timeMs);
    const value = typeof raw === 'string' ? raw : raw * (one.tag.scale ?? 1) + (one.tag.offset ?? 0);
    return { assetId: one.assetId, tagName: one.tagName, value, status: GOOD, timeMs };
  }

  return {
    connect: async (signal) => signal.throwIfAborted(),
    async run(emit, signal) {
      while (!signal.aborted) {
        changed = new AbortController();
        await pollAll(emit, AbortSignal.any([signal, changed.signal]));
      }
    },
    /** The polls begin anew. A tag that is as it was stays at what was written to it. */
    async retag(given, leave) {
      const before = simulated;
      const after = simulatedOf(given as readonly SimulatorTag[]);
      const isSame = (key: string) => after.has(key) && isDeepStrictEqual(before.get(key)?.tag, after.get(key)?.tag);
      leave((ref) => isSame(tagKey(ref)));
      simulated = new Map([...after].map(([key, one]) => [key, (isSame(key) ? before.get(key) : undefined) ?? one]));
      changed.abort();
    },
    readNow: async (refs) => refs.map(read),
    async write(ref, value) {
      const one = simulated.get(tagKey(ref));
      if (!one) throw new GatewayError('unknown_tag', `source "${sourceId}" has no tag "${ref.tagName}" of "${ref.assetId}"`);
      checkWritable(one.tagName, one.tag);
      one.written = one.tag.waveform === 'text' ? rawText(value) : rawFloat(value, one.tag, FLOAT64);
      return { reading: read(ref), confirmed: true };
    },
    close: async () => {},
  };
}

function rawAt({ tag, seed, written }: SimulatedTag, timeMs: UnixMs): number | string {
  return written ?? valueAt(tag, seed, timeMs);
}

function emitRaw(emit: Emit, series: SeriesId, timeMs: UnixMs, raw: number | string): void {
  if (typeof raw === 'string') emit.text(series, timeMs, raw, GOOD);
  else emit.number(series, timeMs, raw, GOOD);
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
