/** Feeds an engine as the house does: records go through a real ring, in order, definitions first. Remembers all that was said. */
import { Ring } from '../../../src/core/ring.ts';
import { GOOD, type StatusCode } from '../../../src/core/status.ts';
import type { Scalar, Sequence, SeriesDef, SeriesId, ValueType } from '../../../src/core/tag.ts';
import type { UnixMs } from '../../../src/core/time.ts';
import type { Engine } from '../../../src/store/engine.ts';
import type { RecoveryReport } from '../../../src/store/telemetry.ts';

/** One sample as it was pushed; `value` null is "no value". */
export interface Arrival {
  readonly series: SeriesId;
  readonly timeMs: number;
  readonly value: Scalar | null;
  readonly status: number;
}

export interface FeedOptions {
  readonly slots?: number;
  /** Where the ring starts, when it is not where recovery says. */
  readonly startAt?: number;
}

export class Feed {
  readonly engine: Engine;
  readonly ring: Ring;
  readonly defs = new Map<SeriesId, SeriesDef>();
  /** Everything committed, in order of arrival. */
  readonly arrivals: Arrival[] = [];
  #pending: Arrival[] = [];
  #nextSeries: number;
  #read: Sequence;

  constructor(engine: Engine, report: RecoveryReport, options: FeedOptions = {}) {
    this.engine = engine;
    this.ring = new Ring(options.slots ?? 4096);
    this.#read = (options.startAt ?? report.next) as Sequence;
    this.ring.startAt(this.#read);
    this.#nextSeries = report.nextSeriesId;
    for (const { id, def } of report.catalogue) this.defs.set(id, def);
  }

  define(tag: string, valueType: ValueType = 'f64', rest: Partial<SeriesDef> = {}): SeriesId {
    return this.redefine(this.#nextSeries++ as SeriesId, tag, valueType, rest);
  }

  redefine(id: SeriesId, tag: string, valueType: ValueType = 'f64', rest: Partial<SeriesDef> = {}): SeriesId {
    const def: SeriesDef = { tenant: 'default', source: 'plc', asset: 'press', tag, valueType, generation: 1, ...rest };
    this.#mustFit(this.ring.pushDefinition(id, def));
    this.defs.set(id, def);
    return id;
  }

  /** A boolean is a number of 0 or 1 in the ring, a bigint is signed unless the series is u64. */
  add(series: SeriesId, timeMs: number, value: Scalar | null, status: number = GOOD): void {
    const code = status as StatusCode;
    const at = timeMs as UnixMs;
    if (typeof value === 'string') this.#mustFit(this.ring.pushText(series, at, value, code));
    else if (typeof value === 'bigint')
      this.#mustFit(this.ring.pushInteger(series, at, value, this.defs.get(series)?.valueType !== 'u64', code));
    else this.#mustFit(this.ring.pushNumber(series, at, value === null ? Number.NaN : Number(value), code));
    this.#pending.push({ series, timeMs, value, status });
  }

  /** Writes and syncs all that was added; returns the sequence below which all is durable. */
  async commit(): Promise<Sequence> {
    this.ring.publish();
    const from = this.#read;
    while (this.#read < this.ring.head) this.#read = await this.engine.write(this.ring, this.#read, this.ring.head);
    this.ring.setWritten(this.#read);
    const durable = await this.engine.sync();
    if (this.#read > from && durable !== this.#read) throw new Error(`all up to ${this.#read} was written, ${durable} is durable`);
    this.arrivals.push(...this.#pending);
    this.#pending = [];
    return durable;
  }

  #mustFit(pushed: boolean): void {
    if (!pushed) throw new Error('the ring of this test is too small: commit more often');
  }
}
