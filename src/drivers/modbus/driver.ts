/** The Modbus driver: polls each tag on the fixed grid of its interval over one connection to the device. */

import { aborted } from '../../core/clock.ts';
import type { Emit } from '../../core/emit.ts';
import { GatewayError } from '../../core/errors.ts';
import { ThrottledLog } from '../../core/log.ts';
import { BAD_NODE_ID_UNKNOWN, BAD_OUT_OF_RANGE, GOOD, isBad } from '../../core/status.ts';
import type { Scalar } from '../../core/tag.ts';
import { ticks } from '../../core/ticker.ts';
import type { UnixMs } from '../../core/time.ts';
import { checkWritable } from '../command.ts';
import {
  type Driver,
  type DriverContext,
  type DriverSpec,
  type RawSample,
  type Readback,
  type Reading,
  type TagRef,
  tagKey,
} from '../driver.ts';
import { ModbusLink } from './link.ts';
import { endpoint, type ModbusConfig, type ModbusTag } from './options.ts';
import { planBlocks, type ReadLimits } from './plan.ts';
import { type Point, pointsOf, positionIn } from './point.ts';
import { deliver, type PolledPoint, PollGroup } from './poll-group.ts';
import { rawSampleOf } from './raw.ts';
import { type Answer, readBlocks, statusOfFailure } from './reader.ts';
import { Writer } from './writer.ts';

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
  /** By `tagKey`. */
  #points: ReadonlyMap<string, Point> = new Map();
  #writer: Writer;
  /** While `run` goes on. */
  #running: { readonly emit: Emit; readonly groups: readonly PollGroup[]; readonly points: ReadonlyMap<string, PolledPoint> } | undefined;

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
      egress: context.egress,
    });
    this.#writer = new Writer(this.#link, context.clock);
  }

  /** Rejects `config_invalid` when a tag's address does not exist, and `not_connected`. */
  async connect(signal: AbortSignal): Promise<void> {
    this.#points = new Map(pointsOf(this.#spec).map((point) => [tagKey(point), point]));
    this.#writer = new Writer(this.#link, this.#context.clock); // what it has learnt may be untrue of the device that is there now
    await this.#link.open(signal);
  }

  async run(emit: Emit, signal: AbortSignal): Promise<void> {
    const groups = this.#groups(emit);
    const points = groups.flatMap((group) => group.points);
    this.#running = { emit, groups, points: new Map(points.map((point) => [tagKey(point), point])) };
    try {
      await this.#pollAll(groups, signal);
    } finally {
      this.#running = undefined;
    }
  }

  /** Resolves on abort; rejects as the first group does. */
  async #pollAll(groups: readonly PollGroup[], signal: AbortSignal): Promise<void> {
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

  async readNow(tags: readonly TagRef[], signal: AbortSignal): Promise<readonly Reading[]> {
    const points = present([...new Set(tags.map(tagKey))].map((key) => this.#points.get(key)));
    const readings = new Map<string, Reading>();
    for await (const answer of readBlocks(this.#link, planBlocks(points, this.#limits), signal)) {
      for (const reading of this.#take(answer)) readings.set(tagKey(reading), reading);
    }
    return tags.map((tag) => readings.get(tagKey(tag)) ?? unknownReading(tag));
  }

  async write(tag: TagRef, value: Scalar, signal: AbortSignal): Promise<Readback> {
    const point = this.#points.get(tagKey(tag));
    if (!point) throw new GatewayError('unknown_tag', `source "${this.#spec.sourceId}" has no tag "${tag.tagName}" of "${tag.assetId}"`);
    checkWritable(point.tagName, point.rule);
    const { bytes, confirmed } = await this.#writer.write(point, value, signal);
    const { table, start, count } = point;
    const [reading = unknownReading(tag)] = this.#take({ block: { table, start, count, items: [point] }, bytes });
    return { reading, confirmed };
  }

  raw(tag: TagRef): RawSample | undefined {
    const point = this.#running?.points.get(tagKey(tag));
    return point?.last && rawSampleOf(point, point.last);
  }

  async close(): Promise<void> {
    this.#link.close();
  }

  /** The points by interval. A tag that the door does not take is not read. */
  #groups(emit: Emit): readonly PollGroup[] {
    const byInterval = new Map<number, PolledPoint[]>();
    for (const point of this.#points.values()) {
      const series = emit.series(point.emitTag);
      if (series === undefined) continue;
      const points = byInterval.get(point.intervalMs) ?? [];
      points.push({ ...point, series, status: GOOD, failure: undefined, last: undefined });
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

  /** The readings of an answer outside the polls; emitted too, while there is a run whose door takes the tags. */
  #take({ block, bytes, failure }: Answer<Point>): readonly Reading[] {
    const timeMs = this.#context.clock.now();
    if (this.#running) {
      const { emit, groups, points } = this.#running;
      const items = present(block.items.map((point) => points.get(tagKey(point))));
      const polled = { ...block, items };
      if (deliver(emit, bytes ? { block: polled, bytes } : { block: polled, failure }, timeMs)) this.#report(groups);
    }
    return block.items.map((point) =>
      bytes ? readingOf(point, bytes, positionIn(block, point), timeMs) : badReading(point, statusOfFailure(failure), timeMs),
    );
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

function present<T>(items: readonly (T | undefined)[]): T[] {
  return items.filter((item) => item !== undefined);
}

function unknownReading({ assetId, tagName }: TagRef): Reading {
  return { assetId, tagName, value: null, status: BAD_NODE_ID_UNKNOWN, timeMs: undefined };
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
