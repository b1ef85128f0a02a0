/** The simulator: a source without a device, whose tags follow waveforms. For trying things out and for tests. */
import { isDeepStrictEqual } from 'node:util';
import { aborted } from '../../core/clock.ts';
import type { Emit } from '../../core/emit.ts';
import { GatewayError } from '../../core/errors.ts';
import { BAD_NODE_ID_UNKNOWN, GOOD } from '../../core/status.ts';
import { ticks } from '../../core/ticker.ts';
import type { UnixMs } from '../../core/time.ts';
import { Turns } from '../../core/turns.ts';
import { checkWritable, FLOAT64, rawFloat, rawText } from '../command.ts';
import { type Driver, type DriverContext, type DriverSpec, type Reading, type TagRef, tagKey } from '../driver.ts';
import type { SimulatorConfig, SimulatorTag } from './options.ts';
import { SimulatedTag } from './simulated-tag.ts';

/** Readings between two looks at the clock. */
const READINGS_A_LOOK = 64;

export function createDriver({ sourceId, config, tags }: DriverSpec<SimulatorConfig, SimulatorTag>, { clock }: DriverContext): Driver {
  let simulated = simulatedOf(tags);
  let changed = new AbortController();
  let emitNow: (one: SimulatedTag, timeMs: UnixMs) => void = () => {};

  function simulatedOf(given: readonly SimulatorTag[]): ReadonlyMap<string, SimulatedTag> {
    const all = new Map<string, SimulatedTag>();
    for (const tag of given) {
      const one = new SimulatedTag(tag, sourceId, config);
      all.set(tagKey(one), one);
    }
    return all;
  }

  /** Until the signal aborts. */
  async function pollAll(emit: Emit, signal: AbortSignal): Promise<void> {
    const byInterval = new Map<number, SimulatedTag[]>();
    for (const one of simulated.values()) {
      one.series = emit.series(one.emitTag);
      const polled = byInterval.get(one.intervalMs) ?? [];
      polled.push(one);
      byInterval.set(one.intervalMs, polled);
    }
    emitNow = (one, timeMs) => {
      if (!signal.aborted) one.emit(emit, timeMs);
    };
    await Promise.all([aborted(signal), ...[...byInterval].map(([intervalMs, polled]) => poll(emit, intervalMs, polled, signal))]);
  }

  async function poll(emit: Emit, intervalMs: number, polled: readonly SimulatedTag[], signal: AbortSignal): Promise<void> {
    for await (const _tick of ticks(clock, intervalMs, signal)) {
      const timeMs = clock.now();
      const turns = new Turns(clock);
      for (let at = 0; at < polled.length; at++) {
        if (at % READINGS_A_LOOK === 0 && turns.isOver) {
          await turns.yield();
          if (signal.aborted) return;
        }
        polled[at]?.emit(emit, timeMs);
      }
    }
  }

  function read(ref: TagRef): Reading {
    const one = simulated.get(tagKey(ref));
    if (!one) return { assetId: ref.assetId, tagName: ref.tagName, value: null, status: BAD_NODE_ID_UNKNOWN, timeMs: undefined };
    const timeMs = clock.now();
    emitNow(one, timeMs);
    const raw = one.rawAt(timeMs);
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
