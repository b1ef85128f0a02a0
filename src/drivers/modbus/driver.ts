/** The Modbus driver: polls each tag on the fixed grid of its interval over one connection to the device. */

import { aborted } from '../../core/clock.ts';
import type { Emit } from '../../core/emit.ts';
import { ThrottledLog } from '../../core/log.ts';
import { BAD_NODE_ID_UNKNOWN, BAD_OUT_OF_RANGE, GOOD, isBad } from '../../core/status.ts';
import type { Scalar } from '../../core/tag.ts';
import { ticks } from '../../core/ticker.ts';
import type { UnixMs } from '../../core/time.ts';
import type { Driver, DriverContext, DriverSpec, Reading } from '../driver.ts';
import { ModbusLink } from './link.ts';
import { endpoint, type ModbusConfig, type ModbusTag } from './options.ts';
import { planBlocks, type ReadLimits } from './plan.ts';
import { type Point, pointsOf, positionIn } from './point.ts';
import { type PolledPoint, PollGroup } from './poll-group.ts';
import { readBlocks, statusOfFailure } from './reader.ts';

/** The reason of a degraded source names so many of the failing tags. */
const NAMED_TAGS = 3;

export function createDriver(spec: DriverSpec<ModbusConfig, ModbusTag>, context: DriverContext): Driver {
  return new ModbusDriver(spec, context);
}

class ModbusDriver implements Driver {
  readonly #spec: DriverSpec<ModbusConfig, ModbusTag>;
  readonly #context: DriverContext;
  readonly #log: ThrottledLog;
  readonly #limits: ReadLimits;
  readonly #link: ModbusLink;
  #points: readonly Point[] = [];

  constructor(spec: DriverSpec<ModbusConfig, ModbusTag>, context: DriverContext) {
    const { config } = spec;
    this.#spec = spec;
    this.#context = context;
    this.#log = new ThrottledLog(context.log, context.clock);
    this.#limits = {
      maxGapRegisters: config.max_gap_registers,
      maxRegisters: config.max_registers_per_read,
      maxBits: config.max_bits_per_read,
    };
    this.#link = new ModbusLink({
      host: config.host,
      port: config.port,
      endpoint: endpoint(config),
      unitId: config.unit_id,
      timeoutMs: config.timeout_ms,
      clock: context.clock,
    });
  }

  /** Rejects `config_invalid` when a tag's address does not exist, and `not_connected`. */
  async connect(signal: AbortSignal): Promise<void> {
    this.#points = pointsOf(this.#spec);
    await this.#link.open(signal);
  }

  async run(emit: Emit, signal: AbortSignal): Promise<void> {
    const groups = this.#groups(emit);
    if (groups.length === 0) return aborted(signal);
    const failed = new AbortController();
    const stop = AbortSignal.any([signal, failed.signal]);
    const loops = groups.map(async (group) => {
      try {
        await this.#poll(group, groups, stop);
      } catch (error) {
        if (stop.aborted) return;
        failed.abort();
        throw error;
      }
    });
    const ends = await Promise.allSettled(loops);
    const failure = ends.find((end) => end.status === 'rejected');
    if (failure) throw failure.reason;
  }

  async readNow(tagNames: readonly string[], signal: AbortSignal): Promise<readonly Reading[]> {
    const names = new Set(tagNames);
    const points = this.#points.filter((point) => names.has(point.tagName));
    const readings: Reading[] = [];
    for await (const { block, bytes, failure } of readBlocks(this.#link, planBlocks(points, this.#limits), signal)) {
      const timeMs = this.#context.clock.now();
      for (const point of block.items) {
        readings.push(
          bytes ? readingOf(point, bytes, positionIn(block, point), timeMs) : badReading(point, statusOfFailure(failure), timeMs),
        );
      }
    }
    for (const { tagName } of points) names.delete(tagName);
    const unknown = { assetId: this.#spec.sourceId, value: null, status: BAD_NODE_ID_UNKNOWN, timeMs: undefined };
    return [...readings, ...[...names].map((tagName) => ({ tagName, ...unknown }))];
  }

  async close(): Promise<void> {
    this.#link.close();
  }

  /** The points by interval. A tag that the door does not take is not read. */
  #groups(emit: Emit): readonly PollGroup[] {
    const byInterval = new Map<number, PolledPoint[]>();
    for (const point of this.#points) {
      const series = emit.series(point.emitTag);
      if (series === undefined) continue;
      const points = byInterval.get(point.intervalMs) ?? [];
      points.push({ ...point, series, status: GOOD, failure: undefined });
      byInterval.set(point.intervalMs, points);
    }
    const context = { link: this.#link, limits: this.#limits, emit, clock: this.#context.clock };
    return [...byInterval].map(([intervalMs, points]) => new PollGroup(intervalMs, points, context));
  }

  async #poll(group: PollGroup, groups: readonly PollGroup[], signal: AbortSignal): Promise<void> {
    for await (const { missed } of ticks(this.#context.clock, group.intervalMs, signal)) {
      if (missed > 0)
        this.#log.warn(
          'late',
          { intervalMs: group.intervalMs, missed },
          'polls were missed: the device takes longer than the polling interval',
        );
      if (await group.poll(signal)) this.#report(groups);
    }
  }

  #report(groups: readonly PollGroup[]): void {
    const failing = groups.flatMap((group) => group.points.filter((point) => isBad(point.status)));
    if (failing.length === 0) {
      this.#context.report({ tagsFailed: 0 });
      return;
    }
    const named = failing.slice(0, NAMED_TAGS).map((point) => `${point.tagName} (${point.failure?.message})`);
    const others = failing.length - named.length;
    const reason = `no value for ${named.join(', ')}${others > 0 ? ` and ${others} more` : ''}`;
    this.#log.warn(`failing ${failing.length}`, { tagsFailed: failing.length }, reason);
    this.#context.report({ tagsFailed: failing.length, reason });
  }
}

function badReading({ tagName, assetId }: Point, status: Reading['status'], timeMs: UnixMs): Reading {
  return { tagName, assetId, value: null, status, timeMs };
}

function readingOf(point: Point, bytes: Buffer, at: number, timeMs: UnixMs): Reading {
  const value = apiValue(point.decoder.read(bytes, at), point);
  if (typeof value === 'number' && !Number.isFinite(value)) return badReading(point, BAD_OUT_OF_RANGE, timeMs);
  return { tagName: point.tagName, assetId: point.assetId, value, status: GOOD, timeMs };
}

/** A 64-bit integer that a double holds exactly is a number, as everywhere at the API. */
function apiValue(raw: number | boolean | bigint, { scale, offset, scaled }: Point): Scalar {
  if (typeof raw === 'boolean') return raw;
  if (scaled) return Number(raw) * scale + offset;
  return typeof raw === 'bigint' && Number.isSafeInteger(Number(raw)) ? Number(raw) : raw;
}
