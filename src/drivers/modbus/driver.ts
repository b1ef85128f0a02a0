/** The Modbus driver: polls each tag on the fixed grid of its interval over one connection to the device. */
import type { Emit } from '../../core/emit.ts';
import { GatewayError, isGatewayError, messageOf } from '../../core/errors.ts';
import { ThrottledLog } from '../../core/log.ts';
import { BAD_NODE_ID_UNKNOWN, BAD_OUT_OF_RANGE, GOOD } from '../../core/status.ts';
import type { Scalar } from '../../core/tag.ts';
import type { UnixMs } from '../../core/time.ts';
import { checkWritable } from '../command.ts';
import {
  type Driver,
  type DriverContext,
  type DriverSpec,
  type Leave,
  type RawSample,
  type Readback,
  type Reading,
  type TagRef,
  tagKey,
} from '../driver.ts';
import { keptTags } from '../tag-change.ts';
import { ModbusException } from './exception.ts';
import { ModbusLink } from './link.ts';
import type { ModbusConfig, ModbusTag } from './options.ts';
import { planBlocks, type ReadLimits } from './plan.ts';
import { type Point, pointsOf, positionIn } from './point.ts';
import { deliver } from './poll-group.ts';
import { Polling } from './polling.ts';
import { rawSampleOf } from './raw.ts';
import { type Answer, readBlocks, statusOfFailure } from './reader.ts';
import { transportOf } from './transport.ts';
import { Writer } from './writer.ts';

export function createDriver(spec: DriverSpec<ModbusConfig, ModbusTag>, context: DriverContext): Driver {
  return new ModbusDriver(spec, context);
}

class ModbusDriver implements Driver {
  readonly #spec: DriverSpec<ModbusConfig, ModbusTag>;
  readonly #context: DriverContext;
  readonly #log: ThrottledLog;
  readonly #limits: ReadLimits;
  readonly #link: ModbusLink;
  #tags: readonly ModbusTag[];
  /** Of these tags, by `tagKey`. */
  #points: ReadonlyMap<string, Point> = new Map();
  #writer: Writer;
  #greetings = 0;
  /** While `run` goes on. */
  #emit: Emit | undefined;
  #polling: Polling | undefined;

  constructor(spec: DriverSpec<ModbusConfig, ModbusTag>, context: DriverContext) {
    const { config } = spec;
    this.#spec = spec;
    this.#tags = spec.tags;
    this.#context = context;
    this.#log = new ThrottledLog(context.log, context.clock);
    this.#limits = {
      maxGapRegisters: config.max_gap_registers,
      maxRegisters: config.max_registers_per_read,
      maxBits: config.max_bits_per_read,
    };
    this.#link = new ModbusLink(transportOf(config, context));
    this.#writer = new Writer(this.#link, context.clock);
  }

  /**
   * Rejects `config_invalid` when a tag's address does not exist, and `not_connected`. Where a connection alone says
   * nothing of the device, it is asked for a value: any answer will do.
   */
  async connect(signal: AbortSignal): Promise<void> {
    this.#points = this.#pointsOf(this.#tags);
    this.#writer = new Writer(this.#link, this.#context.clock); // what it has learnt may be untrue of the device that is there now
    await this.#link.open(signal);
    if (this.#spec.config.transport !== 'tcp') await this.#greet(signal);
  }

  async run(emit: Emit, signal: AbortSignal): Promise<void> {
    const { clock, report } = this.#context;
    this.#emit = emit;
    this.#polling = new Polling(this.#points.values(), { link: this.#link, limits: this.#limits, emit, clock, log: this.#log, report });
    try {
      await this.#polling.run(signal);
    } finally {
      this.#emit = undefined;
      this.#polling = undefined;
    }
  }

  async retag(tags: readonly unknown[], leave: Leave): Promise<void> {
    const kept = keptTags(this.#tags, tags as readonly ModbusTag[]);
    const before = this.#points;
    const points = this.#pointsOf(kept);
    leave((ref) => {
      const key = tagKey(ref);
      const point = points.get(key);
      return point !== undefined && before.get(key)?.rule === point.rule;
    });
    this.#tags = kept;
    this.#points = points;
    this.#polling?.replace(points.values());
    this.#polling?.report();
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
    const point = this.#points.get(tagKey(tag));
    const polled = point && this.#polling?.polled(point);
    return polled?.last && rawSampleOf(polled, polled.last);
  }

  async close(): Promise<void> {
    this.#link.close();
  }

  /** One request at a time of trouble, each time another block: some devices are silent about what they do not have. */
  async #greet(signal: AbortSignal): Promise<void> {
    const blocks = planBlocks([...this.#points.values()], this.#limits);
    const block = blocks[this.#greetings++ % blocks.length];
    if (!block) return;
    try {
      await this.#link.read(block, signal);
    } catch (error) {
      if (error instanceof ModbusException) return;
      if (signal.aborted || !isGatewayError(error)) throw error;
      const code = error.code === 'timeout' || error.code === 'protocol' ? 'not_connected' : error.code;
      throw new GatewayError(code, `${this.#link.endpoint} does not answer: ${messageOf(error)}`, { cause: error });
    }
  }

  /** By `tagKey`. Throws `config_invalid` when a tag's address does not exist. */
  #pointsOf(tags: readonly ModbusTag[]): ReadonlyMap<string, Point> {
    return new Map(pointsOf({ ...this.#spec, tags }).map((point) => [tagKey(point), point]));
  }

  /** The readings of an answer outside the polls; emitted too, while there is a run whose door takes the tags. */
  #take({ block, bytes, failure }: Answer<Point>): readonly Reading[] {
    const timeMs = this.#context.clock.now();
    const polling = this.#polling;
    if (this.#emit && polling) {
      const polled = { ...block, items: present(block.items.map((point) => polling.polled(point))) };
      if (deliver(this.#emit, bytes ? { block: polled, bytes } : { block: polled, failure }, timeMs)) polling.report();
    }
    return block.items.map((point) =>
      bytes ? readingOf(point, bytes, positionIn(block, point), timeMs) : badReading(point, statusOfFailure(failure), timeMs),
    );
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
